// Lists the facts of the behaviour inventory that no test names.
//
//   node scripts/facts.mjs [facts.md]
//
// A fact is a line such as `- API-04: … [3.2 test]`. It counts as tested if its id stands in the
// code of a test file, comments aside. Those whose tag is one of REQUIRED have to be; the others may.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const REQUIRED = new Set(['3.2 test', 'later', 'port']);

/** Facts that cannot be tested, and why. */
const EXCUSED_FACTS = new Map([
  ['CHK-02', 'there are no settings of media and static directories to compare with'],
]);

const file = process.argv[2] ?? join(root, '../shared/django-behaviours.md');
if (!existsSync(file)) {
  console.log(`No facts were checked: ${file} does not exist. Give the path of the inventory.`);
  process.exit(0);
}

const facts = readFacts(readFileSync(file, 'utf8'));
const cited = citedIds(join(root, 'test'));

let missing = 0;
for (const [section, { title, ids }] of facts) {
  const open = [...ids].filter(([id, tag]) => REQUIRED.has(tag) && !cited.has(id));
  if (open.length === 0) continue;
  console.log(`${section}. ${title}`);
  for (const [id, tag] of open) {
    const excuse = EXCUSED_FACTS.get(id);
    if (excuse === undefined) missing += 1;
    console.log(`   ${id} [${tag}]${excuse === undefined ? '' : `: ${excuse}`}`);
  }
}

const known = new Map([...facts.values()].flatMap(({ ids }) => [...ids]));
const unknown = [...cited].filter(([id]) => isOfInventory(id) && !known.has(id));
for (const [id, where] of unknown) console.log(`${id} in ${where} is no fact of the inventory.`);

const required = [...known].filter(([, tag]) => REQUIRED.has(tag));
const tested = required.filter(([id]) => cited.has(id)).length;
console.log(
  `${tested} of ${required.length} facts that need a test have one; ${missing} are missing.`,
);
process.exit(missing === 0 && unknown.length === 0 ? 0 : 1);

/** Facts by section: its title, and the tag of each id. */
function readFacts(text) {
  const sections = new Map();
  let ids;
  for (const line of text.split('\n')) {
    const heading = /^## (\d+)\. (.*)$/.exec(line);
    if (heading !== null) {
      ids = new Map();
      sections.set(Number(heading[1]), { title: heading[2], ids });
    }
    const fact = /^- ([A-Z]+-\d\d): .*\[([^\]]+)\]$/.exec(line);
    if (fact !== null) ids.set(fact[1], fact[2]);
  }
  return sections;
}

/** Every id that stands in the code of a test file, and the first file it stands in. */
function citedIds(directory) {
  const found = new Map();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const code = readFileSync(path, 'utf8').replace(/^\s*(\/\/|\/?\*).*$/gm, '');
    for (const [id] of code.matchAll(/\b[A-Z]+-\d\d\b(?!-)/g)) {
      if (!found.has(id)) found.set(id, relative(root, path));
    }
  }
  return found;
}

/** Whether the id is of the inventory's kind, rather than a number of something else. */
function isOfInventory(id) {
  const kind = id.split('-')[0];
  return [...known.keys()].some((fact) => fact.startsWith(`${kind}-`));
}
