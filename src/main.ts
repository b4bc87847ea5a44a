import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FastifyInstance } from 'fastify';
import { botTokenKind } from './api/bot-token.ts';
import { botUserKind } from './api/bot-user.ts';
import { systemClock as clock } from './base/clock.ts';
import { BotmintError, isAbort } from './base/errors.ts';
import { FlagInvalid, type Flags, helpText, parseFlags } from './base/flags.ts';
import { createLog, type Log } from './base/log.ts';
import { Metrics } from './base/metrics.ts';
import { Caches } from './controllers/caches.ts';
import { ensureInstallation } from './controllers/installation.ts';
import { LastUsed } from './controllers/last-used.ts';
import { Operator } from './controllers/operator.ts';
import { holderIn } from './controllers/robot-accounts.ts';
import { RobotIDs } from './controllers/robot-ids.ts';
import { SigningChains } from './controllers/signing-chains.ts';
import { SigningKeys } from './controllers/signing-keys.ts';
import { StatusLists } from './controllers/status-lists.ts';
import { addTokenGauges } from './controllers/token-metrics.ts';
import { addVerifierGauge, VerifierKeys } from './controllers/verifier-keys.ts';
import { reporter, tokenMetrics } from './controllers/world.ts';
import { Client } from './kube/client.ts';
import { loadConfig } from './kube/config.ts';
import { secretMetadata } from './kube/core-kinds.ts';
import { EventRecorder } from './kube/events.ts';
import { KubeconfigInvalid } from './kube/kubeconfig.ts';
import { Shards } from './kube/shards.ts';
import { addHealth, Loops } from './server/health.ts';
import { type JWTEndpointsDeps, jwtEndpoints } from './server/jwt-endpoints.ts';
import { createPlain, createServer } from './server/listen.ts';
import { registryAccounts } from './server/registry-accounts.ts';
import { registryTokenEndpoint } from './server/registry-token.ts';
import { ServingCertificates } from './server/tls.ts';

/** A process that was asked to stop is gone within so many milliseconds, whatever still runs. */
const stopWithinMilliseconds = 9500;
/** What is not done by then is done by another replica. */
const leaveWithinMilliseconds = 3000;

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2), process.env);
  if (flags === 'help') return console.log(helpText());
  const log = createLog(flags['log-level'], flags['log-format']);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'stopping');
      setTimeout(() => process.exit(1), stopWithinMilliseconds).unref();
      stop.abort(new Error(`stopped by ${signal}`));
    });
  }
  try {
    await run(flags, log, stop.signal);
  } catch (error) {
    if (!isAbort(error, stop.signal)) throw error;
    log.info('stopped before it had started'); // it still waited for the API server, and holds nothing
    process.exit(0);
  }
  log.info('stopped');
}

/** Puts the parts together and runs them until the signal aborts. */
async function run(flags: Flags, log: Log, signal: AbortSignal): Promise<void> {
  const metrics = new Metrics();
  const client = new Client({ config: clusterConfig(flags), log, metrics, userAgent: 'botmint' });
  const { namespace } = flags;
  const installation = await ensureInstallation(client, namespace, flags.shards, signal);
  if (installation.shards !== flags.shards) {
    log.warn({ flag: flags.shards, recorded: installation.shards }, 'kept to the recorded number of shards');
  }
  const identity = `${hostname()}-${randomBytes(3).toString('hex')}`;
  const caches = new Caches({ client, namespace, log, clock });
  const events = new EventRecorder({ client, identity, clock, log, metrics });
  const shards = new Shards({ client, namespace, identity, count: installation.shards, clock, log, metrics });
  const counters = tokenMetrics(metrics);
  const world = { caches, client, clock, metrics: counters, report: reporter({ events, log, metrics: counters }) };
  const keys = new SigningKeys({ client, namespace, secrets: caches.secrets });
  const owns = (uid: string) => shards.owns(uid);
  const statusLists = new StatusLists({ client, caches, namespace, identity, owns, clock, log });
  const chains = new SigningChains({ client, namespace, secrets: caches.secrets, issuers: caches.issuers, log });
  const robotIDs = new RobotIDs({ client, namespace });
  const { verifierKeys: keysAtStart } = installation;
  const verifierKeys = new VerifierKeys({ client, namespace, secrets: caches.secrets, keys: keysAtStart, clock, log });
  const { verifiers } = verifierKeys;
  addVerifierGauge(metrics, { robots: caches.robots, verifiers });
  const lastUsed = new LastUsed(world, log);
  const parts = { flags, installation, shards, keys, statusLists, chains, robotIDs, verifierKeys, log, metrics };
  const operator = new Operator(world, parts);
  const certificates = new ServingCertificates({ client, namespace, clock, log, metrics });
  const server = createServer({ certificates, log });
  const served = { caches, clock, log, metrics };
  // Each endpoint answers while it knows what it goes by, whatever else cannot be read.
  const cachesAge = () => caches.age(['issuers', 'tokens', 'botUsers', 'secrets', 'statusLists']);
  serveJWT(server.app, { ...served, cachesAge, client, keys, statusLists });
  registryTokenEndpoint(server.app, {
    ...served,
    ...registryAccounts(caches, holderIn(caches)),
    cachesAge: () => caches.age(['issuers', 'robots', 'secrets', 'namespaces']),
    signers: chains,
    verifiers,
    used: (account, at) => lastUsed.note(account, at),
  });
  const loops = new Loops();
  const plain = healthServer({ caches, certificates, loops, log, metrics });

  const { port: metricsPort } = await plain.listen(flags['metrics-listen']);
  const supplies = [
    loops.watch('caches', caches.run(signal), signal),
    loops.watch('certificates', certificates.run(signal), signal),
    loops.watch('verifier keys', verifierKeys.run(signal), signal),
  ];
  await caches.whenSynced(signal);
  await chains.load(signal);
  const { port } = await server.listen(flags.listen);
  log.info({ port, metricsPort, identity, clusterID: installation.clusterID }, 'started');

  const afterWork = new AbortController();
  const aftermath = [
    loops.watch('shards', shards.run(afterWork.signal), afterWork.signal),
    loops.watch('events', events.run(afterWork.signal), afterWork.signal),
  ];
  await Promise.all([
    loops.watch('status lists', statusLists.run(signal), signal),
    loops.watch('last used', lastUsed.run(signal), signal),
    loops.watch('signing chains', chains.run(signal), signal),
    ...operator.run(signal).map(([name, loop]) => loops.watch(name, loop, signal)),
  ]);
  await statusLists.leave(AbortSignal.timeout(leaveWithinMilliseconds));
  // Running work has ended: only now may another replica have the shards, and the last events are out.
  afterWork.abort();
  await Promise.all([...supplies, ...aftermath, server.close(), plain.close()]);
  await client.close();
}

function clusterConfig({ kubeconfig }: Flags) {
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  return loadConfig({ kubeconfig: kubeconfig ?? KUBECONFIG, pod: { host, port } });
}

function serveJWT(
  app: FastifyInstance,
  {
    client,
    caches,
    ...o
  }: Omit<JWTEndpointsDeps, 'issuers' | 'botTokens' | 'botUsers' | 'read' | 'reviewer'> & {
    client: Client;
    caches: Caches;
  },
): void {
  jwtEndpoints(app, {
    ...o,
    issuers: caches.issuers,
    botTokens: caches.tokens,
    botUsers: caches.botUsers,
    read: {
      botToken: (ref, signal) => client.get(botTokenKind, ref, { signal }),
      botUser: (ref, signal) => client.get(botUserKind, ref, { signal }),
      secret: (ref, signal) => client.get(secretMetadata, ref, { signal }),
    },
    reviewer: client,
  });
}

function healthServer(o: {
  caches: Caches;
  certificates: ServingCertificates;
  loops: Loops;
  log: Log;
  metrics: Metrics;
}) {
  const { caches, certificates, loops, log, metrics } = o;
  addTokenGauges(metrics, caches);
  addEventLoopGauge(metrics);
  const plain = createPlain({ log });
  const missing = () => [
    ...(caches.synced ? [] : ['caches']),
    ...(certificates.current === undefined ? ['certificate'] : []),
  ];
  addHealth(plain.app, { health: { dead: () => loops.dead(), missing }, metrics });
  return plain;
}

/** A Lease is lost when the event loop stalls for long: this shows how far it is from that. */
function addEventLoopGauge(metrics: Metrics): void {
  // At its default resolution the measuring alone would take 1 % of a core.
  const lag = monitorEventLoopDelay({ resolution: 200 });
  lag.enable();
  const help = '99th percentile of how late timers were since the last scrape.';
  metrics.gauge('botmint_event_loop_delay_seconds', help, [], () => {
    const value = lag.percentile(99) / 1e9;
    lag.reset();
    return [{ labels: {}, value }];
  });
}

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : 'failed';
  console.error(`botmint: ${message}`);
  // What a person can put right is a sentence; the stack is for what nobody thought of.
  const expected = [FlagInvalid, KubeconfigInvalid, BotmintError].some(type => error instanceof type);
  if (!expected && error instanceof Error) console.error(error.stack);
  process.exit(1);
});
