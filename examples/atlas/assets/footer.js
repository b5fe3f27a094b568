// The page may come from the server's cache, so it cannot say itself how this visitor got it.
// The headers of the response can, and the browser tells them here.
const [navigation] = performance.getEntriesByType('navigation');
const note = document.querySelector('.made');
// Browsers give these numbers to https: and localhost only.
const timing = new Map(navigation?.serverTiming?.map((entry) => [entry.name, entry]));
const outcome = timing.get('cache')?.description;

if (outcome !== undefined) {
  const format = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });
  // Nothing was transferred: these headers are those of an earlier visit.
  const isOwnCopy = navigation.transferSize === 0;
  const text = isOwnCopy ? note.dataset.browser : note.dataset[outcome];
  const badge = note.querySelector('.outcome');
  badge.textContent = isOwnCopy ? 'browser' : outcome;
  badge.dataset.outcome = badge.textContent;
  badge.hidden = false;
  note.querySelector('.how').textContent = text
    .replace('{age}', format.format(Math.floor((timing.get('age')?.duration ?? 0) / 1000)))
    .replace('{ms}', format.format(timing.get('total')?.duration ?? 0));
}

// A menu of links, which should not stay open behind the page.
const menu = document.querySelector('.languages');
document.addEventListener('click', (event) => {
  if (!menu.contains(event.target)) menu.open = false;
});
menu.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  menu.open = false;
  menu.querySelector('summary').focus();
});
