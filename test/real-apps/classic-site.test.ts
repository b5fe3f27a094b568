import { LEAST_HITS, openClassicSite, visitClassicSite } from './classic-site';
import { closeLater, useful, useRealApps } from './support';

useRealApps();

// `npm run classic-site` has the crowd of 500, and 20 000 views.
test.each([1, 2, 3])('a crowd visits the classic site, seed %i', async (seed) => {
  const site = await openClassicSite();
  closeLater(() => site.close());
  const size = { visitors: 60, users: 36, views: 1500, seed };
  const { faults, publicHits, publicViews } = await visitClassicSite(site, size);
  expect(faults).toEqual([]);
  useful(() => expect(publicHits / publicViews).toBeGreaterThanOrEqual(LEAST_HITS));
});
