import { chmod, constants, copyFile, type FileHandle, link, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Slots } from '../cache/slots';
import {
  EXPIRY_AT,
  type FileEntry,
  fileLength,
  HEAD_LENGTH,
  packExpiry,
  unpackEntry,
  unpackGrowing,
} from './file-format';

/** What is found at a path: an entry, nothing, or a file that is not as this package wrote it. */
export type Found = FileEntry | 'absent' | 'broken';

/** Read at first; most entries are no longer, and need no second read. */
const FIRST_READ = 16 * 1024;

/** Files open at a time: a burst of reads must not use up the process's descriptors. */
const handles = new Slots(64);

/** Reads the file as one opening of it shows it. */
export function readEntryFile(path: string): Promise<Found> {
  return withFile(path, 'r', readEntry);
}

/**
 * Gives the entry a new expiry if `accepts` it. What is written over is the file that was read:
 * one put in its place meanwhile stays as it is.
 *
 * @returns what was found, with its old expiry
 */
export function touchEntryFile(
  path: string,
  expiresAt: number,
  accepts: (found: Found) => boolean,
): Promise<Found> {
  return withFile(path, 'r+', async (handle) => {
    const found = await readEntry(handle);
    if (accepts(found)) await handle.write(packExpiry(expiresAt), 0, 8, EXPIRY_AT);
    return found;
  });
}

/**
 * Writes a longer value over the one that is there, if `accepts` it, and keeps its key. What is
 * written over is the file that was read, as in {@link touchEntryFile}. Readers see the old value
 * until all of the new one is there: that must begin as the old one does.
 *
 * @returns whether it was accepted
 */
export async function growEntryFile(
  path: string,
  entry: Buffer,
  accepts: (found: Found) => boolean,
): Promise<boolean> {
  let isAccepted = false;
  await withFile(path, 'r+', async (handle) => {
    const found = await readEntry(handle);
    isAccepted = accepts(found);
    if (isAccepted) {
      const body = entry.length - HEAD_LENGTH;
      const { bytesWritten } = await handle.write(entry, HEAD_LENGTH, body, HEAD_LENGTH);
      if (bytesWritten < body) throw new Error(`There is no room for all of ${path}.`);
      await handle.write(entry, 0, HEAD_LENGTH, 0);
    }
    return found;
  });
  return isAccepted;
}

/** Writes a new file that only its owner may read, whatever the process's umask. */
export function writePrivateFile(path: string, bytes: Buffer): Promise<void> {
  return handles.run(async () => {
    const handle = await open(path, 'wx', 0o600);
    try {
      await Promise.all([handle.chmod(0o600), handle.writeFile(bytes)]);
    } finally {
      await handle.close();
    }
  });
}

/** Makes a directory, with the parents it lacks, that only its owner may enter. */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, 0o700);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    if (!hasCode(error, 'ENOENT') || dirname(path) === path) throw error;
    await makePrivateDirectory(dirname(path));
    await makePrivateDirectory(path);
    return;
  }
  // The umask may have taken away what the owner needs.
  await chmod(path, 0o700);
}

/** Gives the file a second name, unless that is taken. @returns whether it was free */
export async function linkExclusively(path: string, newPath: string): Promise<boolean> {
  try {
    await link(path, newPath).catch((error) => {
      // File systems without links, such as FAT.
      if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
      return copyFile(path, newPath, constants.COPYFILE_EXCL);
    });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Whether `error` comes from the system and has one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

async function withFile(
  path: string,
  flags: string,
  use: (handle: FileHandle) => Promise<Found>,
): Promise<Found> {
  return handles.run(async () => {
    let handle: FileHandle;
    try {
      handle = await open(path, flags);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return 'absent';
      throw error;
    }
    try {
      return await use(handle);
    } finally {
      await handle.close();
    }
  });
}

async function readEntry(handle: FileHandle): Promise<Found> {
  const buffer = Buffer.allocUnsafeSlow(FIRST_READ);
  const { bytesRead } = await handle.read(buffer, 0, FIRST_READ, 0);
  const start = buffer.subarray(0, bytesRead);
  const length = fileLength(start);
  if (length === undefined) return 'broken';
  if (length <= FIRST_READ) {
    // Or a small value would keep the whole buffer alive.
    const own = Buffer.allocUnsafeSlow(bytesRead);
    start.copy(own);
    return unpackEntry(own) ?? unpackGrowing(own) ?? 'broken';
  }
  // Asked for before so much is allocated: the length may be anything in a file of someone else's.
  const { size } = await handle.stat();
  if (size !== length) return 'broken';
  const file = Buffer.allocUnsafeSlow(length);
  start.copy(file);
  let end = bytesRead;
  while (end < length) {
    const { bytesRead: more } = await handle.read(file, end, length - end, end);
    if (more === 0) return 'broken';
    end += more;
  }
  return unpackEntry(file) ?? 'broken';
}
