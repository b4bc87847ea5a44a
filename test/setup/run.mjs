// The first thing that runs behind every npm command, under any Node from 20.19 on. It installs the packages that the
// lock file names when they are not there yet, and then runs the given program under the pinned Node of node_modules.
// Plain JavaScript, because the Node that a machine has may not run TypeScript.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.botmint-lock');
const oldest = [24, 11];

install();
const node = pinnedNode();
// What Node made of each file the first time: a later start need not take the types off again, which takes a third of its
// memory and most of its time.
const NODE_COMPILE_CACHE = process.env.NODE_COMPILE_CACHE ?? join(modules, '.cache', 'compile');
const child = spawn(node, process.argv.slice(2), {
  stdio: 'inherit',
  cwd: root,
  env: { ...process.env, NODE_COMPILE_CACHE, PATH: `${join(modules, '.bin')}:${process.env.PATH}` },
});
// Ctrl-C reaches the child by itself (one process group); what is sent to npm alone is handed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
// A signal for npm ends only npm and its shell; that this process has then another parent is how it gets to know.
if (process.env.npm_lifecycle_event) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 200);
}
child.on('exit', (code, signal) => process.exit(signal === null ? code : 1));

function install() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('setup: installing packages from the lock file (about half a minute, once)');
  // Not `npm ci`: it refuses a lock file that lacks the binaries of other platforms, which a registry that mirrors only
  // some of them cannot give. This takes the same versions from the lock file, and leaves the file as it is.
  const args = ['install', '--no-save', '--loglevel=error', '--fetch-retries=5'];
  const npm = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  if (npm.error) fail('npm was not found: install Node 20.19 or newer together with npm');
  if (npm.status !== 0) fail('npm install failed: the lines above say why (the npm registry must be reachable)');
  writeFileSync(stamp, lock);
}

/** The Node 24 that the lock file pins, or on a platform it has no package for, the one that runs now if it is new enough. */
function pinnedNode() {
  const pinned = join(modules, '.bin', 'node');
  if (existsSync(pinned)) return pinned;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return process.execPath;
  return fail(
    `botmint needs Node ${oldest.join('.')} or newer here; this is ${process.versions.node}: install it and try again`,
  );
}

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}
