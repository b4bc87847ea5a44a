import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { retireKeyAnnotation } from '../../src/api/names.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { makeLeaf } from '../../src/issuers/registry/chain.ts';
import { readSigner } from '../../src/issuers/registry/signer.ts';
import { describeOwnControlPlane, eventually, sharedCluster } from '../cluster/cluster.ts';
import { freePorts } from '../cluster/ports.ts';
import { builtRegistry, missingRegistry } from '../registry/build.ts';
import { guide } from '../setup/guide.ts';
import { Site } from './site.ts';

// docs/registry.md, followed by the letter: its files are saved and its commands run, with other ports and with programs that are built already.

const cluster = sharedCluster();
const missing = await missingRegistry();
const { files, commands } = guide('registry.md');
const hasCurl = spawnSync('curl', ['--version']).error === undefined;
if (!hasCurl) console.error('the commands with curl are left out: there is none here');
const [issuerCommands = '', ...more] = commands.filter(each => hasCurl || !each.startsWith('curl '));
const isOfLeak = (command: string) => command.includes(retireKeyAnnotation);
const [others, leakCommands] = [more.filter(each => !isOfLeak(each)), more.filter(isOfLeak)];
const watchdog = join(import.meta.dirname, '..', 'cluster', 'watchdog.sh');
/** What the registry says to who may not, in crane's words, and what the page prints then. */
const refused = /(UNAUTHORIZED: authentication required|status code 401 Unauthorized).*\nrefused$/gm;
let desk: Desk | undefined;

afterEach(async () => {
  await desk?.close();
  desk = undefined;
});

/** A third terminal in an empty directory, beside a cluster and an operator. */
class Desk {
  readonly #site: Site;
  readonly #directory: string;
  readonly #registryPort: number;
  readonly #watchdog: ChildProcess;
  #registry: ChildProcess | undefined;
  #starts = 0;

  private constructor(site: Site, directory: string, registryPort: number) {
    this.#site = site;
    this.#directory = directory;
    this.#registryPort = registryPort;
    // However this process ends, the registry and the directory go with it.
    this.#watchdog = spawn('/bin/sh', [watchdog, directory], { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
  }

  static async open(): Promise<Desk> {
    const site = await Site.open(cluster);
    await site.start();
    const [port = 0] = await freePorts(1);
    const opened = new Desk(site, await mkdtemp(join(tmpdir(), 'botmint-guide-')), port);
    const binaries = await builtRegistry(line => console.error(line));
    await mkdir(opened.#path('pids'));
    for (const name of ['registry', 'crane']) await symlink(join(binaries, name), opened.#path(name));
    for (const [name, text] of files) await writeFile(opened.#path(name), opened.#here(text));
    return opened;
  }

  /** Runs commands of the page in one shell, as a person does who sees to it that each has worked; what they print. */
  async run(script: string): Promise<string> {
    const { binaries, kubeconfigPath } = this.#site.plane ?? {};
    const PATH = `${binaries}:${process.env.PATH}`;
    const env = { HOME: this.#path('home'), PATH, KUBECONFIG: kubeconfigPath };
    const shell = ['-euo', 'pipefail', '-c', this.#here(script)];
    const { stdout } = await promisify(execFile)('bash', shell, { cwd: this.#directory, env, timeout: 280_000 });
    return stdout;
  }

  /** `./registry serve config.yml`, also for the second time. */
  async serve(): Promise<void> {
    if (this.#registry !== undefined) {
      const gone = once(this.#registry, 'exit');
      this.#registry.kill();
      await gone;
    }
    const file = `registry-${++this.#starts}.log`;
    const serve = `echo $$ >pids/registry && exec ./registry serve config.yml >${file} 2>&1`;
    const env = { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' };
    this.#registry = spawn('/bin/sh', ['-c', serve], { cwd: this.#directory, env, stdio: 'ignore' });
    const log = async () => readFile(this.#path(file), 'utf8').catch(() => '');
    await eventually('the registry listens', async () => (await log()).includes('listening on '));
  }

  /** The token of a thief who has read the Secret of the CA. */
  async steal(): Promise<string> {
    const name = '$(kubectl get secrets --namespace botmint-system --output name | grep botmint-registry-ca-)';
    const read = (key: string) =>
      this.run(`kubectl get ${name} --namespace botmint-system -o jsonpath='{.data.tls\\.${key}}' | base64 -d`);
    const authority = { certificate: await read('crt'), key: new SecretValue(await read('key')) };
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'botmint', sub: 'thief', aud: this.#here('localhost:5000'), jti: 'stolen' };
    const access = [{ type: 'repository', name: 'payments/app', actions: ['pull'] }];
    const signer = readSigner(await makeLeaf(authority, 'registry', new Date()));
    return signer.sign({ ...claims, access, iat: now, nbf: now, exp: now + 3600 });
  }

  /** How the registry answers to whoever has this token. */
  async statusFor(token: string): Promise<number> {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(this.#here('http://localhost:5000/v2/payments/app/tags/list'), { headers })).status;
  }

  async close(): Promise<void> {
    const gone = once(this.#watchdog, 'exit');
    this.#watchdog.stdin?.end();
    await gone;
    await this.#site.close();
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #here(text: string): string {
    const { port } = this.#site.operator.started;
    return text
      .replaceAll('kubectl wait ', 'kubectl wait --timeout=120s ') // half a minute is not long on a busy machine
      .replaceAll('localhost:8443', `localhost:${port}`)
      .replaceAll('localhost:5000', `localhost:${this.#registryPort}`);
  }
}

/** Somebody has read the Secret of the CA, and what the page has for this is done. */
async function leak(place: Desk): Promise<void> {
  const pull = 'SSL_CERT_FILE="$PWD/botmint-ca.pem" DOCKER_CONFIG=pull ./crane manifest localhost:5000/payments/app:1';
  const stolen = await place.steal();
  expect(await place.statusFor(stolen)).toBe(200);
  expect(leakCommands).toHaveLength(1);
  await place.run(leakCommands.join('\n'));
  // Before the registry has been started anew it believes the thief, and nobody else gets in.
  expect(await place.statusFor(stolen)).toBe(200);
  expect(await place.run(`${pull} 2>&1 || echo refused`)).toMatch(refused);
  await place.serve();
  expect(await place.statusFor(stolen)).toBe(401);
  expect(await place.run(pull)).toContain('"schemaVersion":2');
  // What leaked is not handed out again, to whoever follows step 2 later.
  await place.run(issuerCommands);
  await place.serve();
  expect(await place.statusFor(stolen)).toBe(401);
}

describeOwnControlPlane('docs/registry.md', () => {
  test.skipIf(missing !== undefined)(
    'leads from an empty directory to pods that pull, and through every day',
    { timeout: 600_000 },
    async () => {
      desk = await Desk.open();
      await desk.run(issuerCommands);
      await desk.serve();
      const said = await desk.run(`exec 2>&1\n${others.join('\n')}`);
      expect(said).toContain('robot_payments+pull');
      expect(said).toContain('hello\n');
      expect(said.match(refused)).toHaveLength(2);
      expect(said).toContain('pod/app created');
      expect(said.match(/"access_token":"eyJ/g) ?? []).toHaveLength(hasCurl ? 2 : 0);
      expect(said).toContain('robotaccount.botmint.dev/legacy condition met');
      const own = "kubectl get secret legacy -o jsonpath='{.data.\\.dockerconfigjson}' | base64 -d";
      expect(await desk.run(own)).toContain('"password":"An0ther-of-ours"');
      const copied = () => desk?.run('kubectl get secret pull --namespace shop --output name');
      expect(await copied()).toBe('secret/pull\n');
      await leak(desk);
    },
  );
});
