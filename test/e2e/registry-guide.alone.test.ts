import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
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
const [issuerCommands = '', ...others] = commands.filter(each => hasCurl || !each.startsWith('curl '));
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
    const { stdout } = await promisify(execFile)('bash', shell, { cwd: this.#directory, env, timeout: 120_000 });
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
      .replaceAll('localhost:8443', `localhost:${port}`)
      .replaceAll('localhost:5000', `localhost:${this.#registryPort}`);
  }
}

describeOwnControlPlane('docs/registry.md', () => {
  test.skipIf(missing !== undefined)(
    'leads from an empty directory to pods that pull, and through every day',
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
      // The last block has made a new CA: nobody gets in before the registry has been started anew.
      const pull =
        'SSL_CERT_FILE="$PWD/botmint-ca.pem" DOCKER_CONFIG=pull ./crane manifest localhost:5000/payments/app:1';
      expect(await desk.run(`${pull} 2>&1 || echo refused`)).toMatch(refused);
      await desk.serve();
      expect(await desk.run(pull)).toContain('"schemaVersion":2');
      const copied = () => desk?.run('kubectl get secret pull --namespace shop --output name');
      expect(await copied()).toBe('secret/pull\n');
    },
  );
});
