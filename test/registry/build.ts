import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDirectory, fetchModules, go, removeLeftovers, requireGo, SetupNeeded } from '../cluster/build.ts';
import { withLock } from '../cluster/lock.ts';
import { existingCluster } from '../cluster/shared.ts';

const sources = join(import.meta.dirname, 'binaries');
/** The tools of its go.mod: the CNCF distribution registry, and a client of registries. */
const tools = [
  'github.com/distribution/distribution/v3/cmd/registry',
  'github.com/google/go-containerregistry/cmd/crane',
];
const module = { directory: sources, name: 'the registry' };
const flags = ['build', '-trimpath', '-ldflags', '-s -w'];

/**
 * The directory with `registry` and `crane`: built at the first call on this machine, found at the next. Safe when two processes
 * call it at once. Throws SetupNeeded when Go is missing, too old, or the build fails.
 */
export async function builtRegistry(say: (line: string) => void): Promise<string> {
  const directory = await directoryOfBuild();
  if (existsSync(directory)) return directory;
  await mkdir(dirname(directory), { recursive: true });
  const onWait = () => say('registry: another process is building it, waiting for it');
  await withLock(`${directory}.lock`, async () => existsSync(directory) || build(directory, say), { onWait });
  return directory;
}

/**
 * Why there is no registry for the tests, in words for people; undefined where there is one, or it can be built. A cluster of one's own
 * (BOTMINT_KUBECONFIG) needs no Go for anything else, so there its lack is no failure.
 */
export async function missingRegistry(): Promise<string | undefined> {
  if (existingCluster() === undefined || existsSync(await directoryOfBuild())) return undefined;
  try {
    requireGo();
    return undefined;
  } catch (error) {
    if (error instanceof SetupNeeded) return 'it is built with Go, which is missing or too old here';
    throw error;
  }
}

async function directoryOfBuild(): Promise<string> {
  return join(cacheDirectory(process.env), `registry-${await sourcesHash()}`);
}

async function sourcesHash(): Promise<string> {
  const hash = createHash('sha256').update([process.platform, process.arch, ...flags, ...tools].join('\0'));
  for (const file of ['go.mod', 'go.sum']) hash.update(await readFile(join(sources, file)));
  return hash.digest('hex').slice(0, 16);
}

async function build(directory: string, say: (line: string) => void): Promise<void> {
  requireGo();
  await removeLeftovers(directory);
  const work = await mkdtemp(`${directory}.building-`);
  const began = performance.now();
  try {
    say('registry: fetching the Go modules of the distribution registry and crane (about 300 MB, once)');
    await fetchModules(say, module);
    say('registry: building registry and crane (about 2 minutes, once)');
    await go([...flags, '-o', `${work}/`, ...tools], module);
    await rename(work, directory);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    if (!existsSync(directory)) throw error; // else another process was first
  }
  say(`registry: built in ${Math.round((performance.now() - began) / 1000)} s, kept in ${directory}`);
}
