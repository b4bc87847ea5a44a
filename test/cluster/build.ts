import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from './lock.ts';

/** What the one binary can be called as; each name is a link to it. */
export const components = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const;
export type ComponentName = (typeof components)[number];

const sources = join(import.meta.dirname, 'binaries');
const controlPlane = { directory: sources, name: 'the control plane' };
const kubernetes = 'v1.36.3';
const version = 'k8s.io/component-base/version';
const ldflags = `-s -w -X ${version}.gitVersion=${kubernetes} -X ${version}.gitMajor=1 -X ${version}.gitMinor=36`;
const flags = ['build', '-trimpath', '-ldflags', ldflags];
// From 1.21 on, a go command fetches the toolchain that go.mod asks for by itself.
const oldestGo = [1, 21] as const;

/** Something that the person has to do before the control plane can run; the message is the whole explanation. */
export class SetupNeeded extends Error {}

/**
 * The directory with the binaries of the control plane: built at the first call on this machine, found at the next.
 * Safe when two processes call it at once. Throws SetupNeeded when Go is missing, too old, or the build fails.
 */
export async function builtBinaries(say: (line: string) => void): Promise<string> {
  const directory = join(cacheDirectory(process.env), `control-plane-${await sourcesHash()}`);
  if (existsSync(directory)) return directory;
  await mkdir(dirname(directory), { recursive: true });
  const onWait = () => say('control plane: another process is building it, waiting for it');
  await withLock(`${directory}.lock`, async () => existsSync(directory) || build(directory, say), { onWait });
  return directory;
}

/** The user's cache directory for botmint: a second clone finds what the first one built. */
export function cacheDirectory(environment: Record<string, string | undefined>): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'botmint');
}

/** The version in the answer of `go version`, for example [1, 26]; undefined when it is not understood. */
export function goVersion(answer: string): readonly [number, number] | undefined {
  const found = /\bgo(\d+)\.(\d+)/.exec(answer);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

async function sourcesHash(): Promise<string> {
  const hash = createHash('sha256').update([process.platform, process.arch, ...flags].join('\0'));
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(await readFile(join(sources, file)));
  return hash.digest('hex').slice(0, 16);
}

async function build(directory: string, say: (line: string) => void): Promise<void> {
  requireGo();
  await removeLeftovers(directory);
  const work = await mkdtemp(`${directory}.building-`);
  const began = performance.now();
  try {
    say('control plane: fetching the Go modules of Kubernetes and etcd (about 1 GB, once)');
    await fetchModules(say);
    say('control plane: building etcd, kube-apiserver, kube-controller-manager and kubectl (about 6 minutes, once)');
    await go([...flags, '-o', join(work, 'control-plane'), '.']);
    for (const name of components) await symlink('control-plane', join(work, name));
    await rename(work, directory);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    if (!existsSync(directory)) throw error; // else another process was first
  }
  say(`control plane: built in ${Math.round((performance.now() - began) / 1000)} s, kept in ${directory}`);
}

/** What a build that was killed has left; only the holder of the lock comes here. */
export async function removeLeftovers(directory: string): Promise<void> {
  const parent = dirname(directory);
  const left = (await readdir(parent)).filter(name => name.startsWith(`${basename(directory)}.building-`));
  for (const name of left) await rm(join(parent, name), { recursive: true, force: true });
}

/** Throws SetupNeeded when there is no Go, or one that cannot fetch the toolchain that it needs. */
export function requireGo(): void {
  const remedy = `install Go ${oldestGo.join('.')} or newer (https://go.dev/dl), or set BOTMINT_KUBECONFIG to use a cluster`;
  // Outside of the sources, and with the local toolchain: only the installed version is asked for.
  const answer = spawnSync('go', ['version'], { env: { ...process.env, GOTOOLCHAIN: 'local' }, cwd: tmpdir() });
  if (answer.error)
    throw new SetupNeeded(`Go was not found, and the control plane for tests is built with it: ${remedy}`);
  const found = goVersion(answer.stdout.toString());
  if (found === undefined) return; // a development build of Go: let it try
  if (found[0] < oldestGo[0] || (found[0] === oldestGo[0] && found[1] < oldestGo[1])) {
    throw new SetupNeeded(`Go ${found.join('.')} is too old to build the control plane for tests: ${remedy}`);
  }
}

/** Fetches what a module is built of. A mirror that cannot be reached for a moment is asked again, for what is still missing. */
export async function fetchModules(say: (line: string) => void, module = controlPlane): Promise<void> {
  for (const seconds of [5, 20]) {
    try {
      return await go(['mod', 'download'], module);
    } catch (error) {
      if (!(error instanceof SetupNeeded)) throw error;
      say(`${error.message}\ntrying again in ${seconds} s`);
      await sleep(seconds * 1000);
    }
  }
  await go(['mod', 'download'], module);
}

/** Runs a go command to its end in a module; throws SetupNeeded with what it said when it fails. */
export async function go(args: string[], module = controlPlane): Promise<void> {
  const environment = { ...process.env, GOTOOLCHAIN: 'auto', GOWORK: 'off' };
  const child = spawn('go', args, { cwd: module.directory, env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = () => child.kill();
  process.once('exit', kill);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4000);
  });
  const code = await new Promise(resolve => child.on('close', resolve));
  process.off('exit', kill);
  if (code !== 0) throw new SetupNeeded(`go ${args[0]} of ${module.name} failed:\n${said.trim()}`);
}
