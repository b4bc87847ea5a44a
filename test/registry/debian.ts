import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from '../cluster/build.ts';

/** Where distribution 2.8 is, or why it cannot be had on this machine. */
export type Found = { binary: string } | { missing: string };

const run = promisify(execFile);
const timeout = 60_000;

/**
 * Distribution 2.8 as Debian packages it: fetched with apt and unpacked into the cache directory at the first call, and found there
 * at the next. Nothing is installed, so no rights are needed.
 */
export async function debianRegistry(): Promise<Found> {
  const directory = join(cacheDirectory(process.env), `docker-registry-2.8-${process.arch}`);
  const binary = join(directory, 'usr', 'bin', 'docker-registry');
  if (existsSync(binary)) return { binary };
  await mkdir(dirname(directory), { recursive: true });
  const work = await mkdtemp(`${directory}.unpacking-`);
  try {
    return await unpack(work, directory, binary);
  } catch (error) {
    return { missing: `apt does not give the package docker-registry here (${firstLine(error)})` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function unpack(work: string, directory: string, binary: string): Promise<Found> {
  await run('apt-get', ['download', 'docker-registry'], { cwd: work, timeout });
  const [file] = (await readdir(work)).filter(name => name.endsWith('.deb'));
  if (file === undefined) return { missing: 'apt has downloaded nothing' };
  await run('dpkg-deb', ['-x', file, 'root'], { cwd: work, timeout });
  const { stdout } = await run(join(work, 'root', 'usr', 'bin', 'docker-registry'), ['--version'], { timeout });
  const version = stdout.trim().split(' ').at(-1) ?? '';
  if (!version.startsWith('2.8.')) return { missing: `the package docker-registry is ${version} here` };
  // Another process may have been first; what it has put there is the same.
  await rename(join(work, 'root'), directory).catch(() => undefined);
  return { binary };
}

function firstLine(error: unknown): string {
  const lines = error instanceof Error ? error.message.split('\n') : [];
  return lines.slice(0, 2).join(' ').slice(0, 200);
}
