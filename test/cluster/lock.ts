import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LockTimings {
  /** The holder touches the lock this often. */
  beatMilliseconds: number;
  /** A lock that nobody touched for so long belongs to a dead process. */
  deadMilliseconds: number;
}

const usual: LockTimings = { beatMilliseconds: 1_000, deadMilliseconds: 15_000 };

/**
 * Runs the work while this process holds the lock file. Waits for another holder; takes over from one that died, also
 * on another machine with the same home directory, so a beat decides and not a process id. Two processes that take
 * over in the same instant may both work: the work has to bear that (ours ends in an atomic rename).
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options: { onWait?: () => void; timings?: LockTimings } = {},
): Promise<T> {
  const timings = options.timings ?? usual;
  const mine = randomUUID();
  await acquire(path, mine, timings, options.onWait ?? (() => undefined));
  const beat = setInterval(() => void touch(path, mine), timings.beatMilliseconds);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if ((await holder(path)) === mine) await rm(path, { force: true });
  }
}

async function acquire(path: string, mine: string, timings: LockTimings, onWait: () => void): Promise<void> {
  for (let told = false; !(await create(path, mine)); ) {
    if (await isDead(path, timings)) {
      // A rename, because exactly one of those who saw it dead can do it.
      await rename(path, `${path}.${mine}`).catch(ignoreAbsent);
      await rm(`${path}.${mine}`, { force: true });
      continue;
    }
    if (!told) onWait();
    told = true;
    await sleep(timings.beatMilliseconds);
  }
}

async function create(path: string, mine: string): Promise<boolean> {
  try {
    await writeFile(path, mine, { flag: 'wx' });
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function isDead(path: string, timings: LockTimings): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > timings.deadMilliseconds;
  } catch (error) {
    ignoreAbsent(error); // let go in this moment: the next attempt creates it
    return false;
  }
}

async function touch(path: string, mine: string): Promise<void> {
  const now = new Date();
  if ((await holder(path)) === mine) await utimes(path, now, now).catch(ignoreAbsent);
}

async function holder(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    ignoreAbsent(error);
    return undefined;
  }
}

function ignoreAbsent(error: unknown): void {
  if (!isCode(error, 'ENOENT')) throw error;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
