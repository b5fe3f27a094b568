-- Tells what came of a run in one line of JSON. With an argument, no two requests ask for the same:
-- the argument is the path, to which a number is added.

function init(args)
  if #args == 0 then return end
  local count = 0
  request = function()
    count = count + 1
    return wrk.format('GET', args[1] .. count)
  end
end

function done(summary)
  local failures = {}
  for kind, count in pairs(summary.errors) do
    table.insert(failures, string.format('"%s":%d', kind, count))
  end
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"failures":{%s}}\n',
    summary.requests, summary.duration, table.concat(failures, ',')
  ))
end
