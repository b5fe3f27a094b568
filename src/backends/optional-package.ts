/**
 * A package that is only there if the site installed it.
 *
 * @param load - Requires it.
 * @throws Error that says what to install.
 */
export function optionalPackage<T>(name: string, user: string, load: () => T): T {
  try {
    return load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'MODULE_NOT_FOUND' || !message.includes(`'${name}'`)) throw error;
    throw new Error(`${user} needs the package ${name}. Install it: npm install ${name}`, {
      cause: error,
    });
  }
}
