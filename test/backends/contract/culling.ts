import type { ContractContext } from './context';

/** What stays when there are too many entries. */
export function describeCulling(context: ContractContext): void {
  const { another, traits } = context;
  const { culling } = traits;
  if (culling === 'untested') return;

  describe('culling', () => {
    async function store49(options: object): Promise<number> {
      const small = await another({ options });
      for (let i = 1; i < 50; i++) await small.set(`cull${i}`, 'value', 1000);
      let left = 0;
      for (let i = 1; i < 50; i++) if (await small.hasKey(`cull${i}`)) left += 1;
      return left;
    }

    const { thirds, all } = culling === 'ignored' ? { thirds: 49, all: 49 } : culling;
    const fact = culling === 'ignored' ? 'CULL-07' : 'CULL-01';

    test(`of 49 entries over a limit of 30, ${thirds} stay (${fact})`, async () => {
      expect(await store49({ maxEntries: 30 })).toBe(thirds);
    });

    test(`of 49 entries over a limit of 30, culled by 0, ${all} stay (CULL-02)`, async () => {
      expect(await store49({ maxEntries: 30, cullFrequency: 0 })).toBe(all);
    });

    test('a limit below zero still takes one entry (CULL-03)', async () => {
      const small = await another({ options: { maxEntries: -1 } });
      await small.set('key', 'value', 1000);
      expect(await small.get('key')).toBe('value');
    });
  });
}
