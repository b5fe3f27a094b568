/** What `work` comes to once it no longer throws, within twenty seconds. */
export async function eventually<T>(work: () => T | Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 1000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
