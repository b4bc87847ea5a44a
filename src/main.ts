import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { botTokenKind } from './api/bot-token.ts';
import { botUserKind } from './api/bot-user.ts';
import { systemClock as clock } from './base/clock.ts';
import { FlagInvalid, type Flags, helpText, parseFlags } from './base/flags.ts';
import { createLog, type Log } from './base/log.ts';
import { Metrics } from './base/metrics.ts';
import { BotTokens } from './controllers/bot-tokens.ts';
import { BotUsers } from './controllers/bot-users.ts';
import { Caches } from './controllers/caches.ts';
import { ensureInstallation } from './controllers/installation.ts';
import { SigningKeys } from './controllers/signing-keys.ts';
import { TokenIssuers } from './controllers/token-issuers.ts';
import { addTokenGauges } from './controllers/token-metrics.ts';
import { addToken, connect } from './controllers/triggers.ts';
import { reporter, tokenMetrics, type World } from './controllers/world.ts';
import { Client } from './kube/client.ts';
import { loadConfig } from './kube/config.ts';
import { Controller, type Outcome } from './kube/controller.ts';
import { ControllerMetrics } from './kube/controller-metrics.ts';
import { secretMetadata } from './kube/core-kinds.ts';
import { EventRecorder } from './kube/events.ts';
import { type Key, type KubeObject, keyOf } from './kube/objects.ts';
import { Shards } from './kube/shards.ts';
import type { Store } from './kube/store.ts';
import { addHealth, Loops } from './server/health.ts';
import { jwtEndpoints } from './server/jwt-endpoints.ts';
import { createPlain, createServer } from './server/listen.ts';
import { ServingCertificates } from './server/tls.ts';

/** A process that was asked to stop is gone within so many milliseconds, whatever still runs. */
const stopWithinMilliseconds = 9500;

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2), process.env);
  if (flags === 'help') return console.log(helpText());
  const log = createLog(flags['log-level'], flags['log-format']);
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => {
      log.info({ signal: name }, 'stopping');
      setTimeout(() => process.exit(1), stopWithinMilliseconds).unref();
      stop.abort(new Error(`stopped by ${name}`));
    });
  await operate(flags, log, stop.signal);
  log.info('stopped');
}

/** Puts the parts together and runs them until the signal aborts. */
async function operate(flags: Flags, log: Log, signal: AbortSignal): Promise<void> {
  const metrics = new Metrics();
  const identity = `${hostname()}-${randomBytes(3).toString('hex')}`;
  const kubeconfig = flags.kubeconfig ?? process.env['KUBECONFIG'];
  const config = loadConfig({
    kubeconfig,
    pod: { host: process.env['KUBERNETES_SERVICE_HOST'], port: process.env['KUBERNETES_SERVICE_PORT'] },
  });
  const client = new Client({ config, log, metrics, userAgent: 'botmint' });
  const { namespace } = flags;
  const installation = await ensureInstallation(client, namespace, flags.shards, signal);
  if (installation.shards !== flags.shards) {
    log.warn({ flag: flags.shards, recorded: installation.shards }, 'kept to the recorded number of shards');
  }

  const caches = new Caches({ client, log, clock, metrics });
  const events = new EventRecorder({ client, identity, clock, log, metrics });
  const counters = tokenMetrics(metrics);
  const world: World = {
    caches,
    client,
    clock,
    metrics: counters,
    report: reporter({ events, log, metrics: counters }),
  };
  const shards = new Shards({ client, namespace, identity, count: installation.shards, clock, log, metrics });
  const keys = new SigningKeys({ client, namespace, secrets: caches.secrets });

  const controllerMetrics = new ControllerMetrics(metrics);
  const control = <T extends KubeObject>(
    name: string,
    store: Store<T>,
    reconcile: (key: Key, s: AbortSignal) => Promise<Outcome>,
  ) => {
    const owns = (key: Key) => {
      const object = store.get(key);
      return object !== undefined && shards.owns(object.metadata.uid);
    };
    return new Controller({
      name,
      concurrency: flags.concurrency,
      reconcile,
      owns,
      log,
      clock,
      metrics: controllerMetrics,
    });
  };
  const botTokens = new BotTokens(world, { keys, digestKey: installation.digestKey });
  const botUsers = new BotUsers(world);
  const tokenIssuers = new TokenIssuers(world, keys);
  const controllers = {
    tokens: control('BotToken', caches.tokens, (key, s) => botTokens.reconcile(key, s)),
    botUsers: control('BotUser', caches.botUsers, (key, s) => botUsers.reconcile(key, s)),
    issuers: control('ClusterTokenIssuer', caches.issuers, (key, s) => tokenIssuers.reconcile(key, s)),
  };
  connect(caches, controllers);
  addTokenGauges(metrics, caches);
  shards.onChange(({ gained, lost }) => {
    log.info({ gained, lost }, 'shards changed');
    const isLost = (store: Store<KubeObject>) => (key: Key) => {
      const object = store.get(key);
      return object === undefined || !shards.owns(object.metadata.uid);
    };
    const mine = new Set(gained);
    const addAll = <T extends KubeObject>(store: Store<T>, add: (object: T) => void) => {
      for (const object of store.values()) if (mine.has(shards.shardOf(object.metadata.uid))) add(object);
    };
    addAll(caches.issuers, object => controllers.issuers.add(keyOf(object)));
    addAll(caches.botUsers, object => controllers.botUsers.add(keyOf(object)));
    addAll(caches.tokens, object => addToken(controllers, object));
    if (lost.length === 0) return;
    controllers.tokens.abort(isLost(caches.tokens as unknown as Store<KubeObject>));
    controllers.botUsers.abort(isLost(caches.botUsers as unknown as Store<KubeObject>));
    controllers.issuers.abort(isLost(caches.issuers as unknown as Store<KubeObject>));
  });

  const certificates = new ServingCertificates({ client, namespace, clock, log, metrics });
  const server = createServer({ certificates, log });
  jwtEndpoints(server.app, {
    issuers: caches.issuers,
    botTokens: caches.tokens,
    botUsers: caches.botUsers,
    read: {
      botToken: (ref, s) => client.get(botTokenKind, ref, { signal: s }),
      botUser: (ref, s) => client.get(botUserKind, ref, { signal: s }),
      secret: (ref, s) => client.get(secretMetadata, ref, { signal: s }),
    },
    reviewer: client,
    cachesAge: () => caches.age(),
    clock,
    log,
    metrics,
  });
  const loops = new Loops();
  const plain = createPlain({ log });
  addHealth(plain.app, {
    health: {
      dead: () => loops.dead(),
      missing: () => [
        ...(caches.synced ? [] : ['caches']),
        ...(certificates.current === undefined ? ['certificate'] : []),
      ],
    },
    metrics,
  });
  const lag = monitorEventLoopDelay();
  lag.enable();
  metrics.gauge(
    'botmint_event_loop_delay_seconds',
    '99th percentile of how late the event loop was since the last scrape.',
    [],
    () => {
      const value = lag.percentile(99) / 1e9;
      lag.reset();
      return [{ labels: {}, value }];
    },
  );

  const metricsAddress = await plain.listen(flags['metrics-listen']);
  const caching = loops.watch('caches', caches.run(signal), signal);
  const certifying = loops.watch('certificates', certificates.run(signal), signal);
  const recording = new AbortController();
  const eventing = loops.watch('events', events.run(recording.signal), recording.signal);
  await caches.whenSynced(signal);
  const address = await server.listen(flags.listen);
  log.info(
    { listen: address.port, metrics: metricsAddress.port, identity, clusterID: installation.clusterID },
    'started',
  );

  const working = Object.entries(controllers).map(([name, controller]) =>
    loops.watch(name, controller.run(signal), signal),
  );
  const leases = new AbortController();
  const sharding = loops.watch('shards', shards.run(leases.signal), leases.signal);
  // Running work ends first, then the leases go: nobody else may begin what still runs here.
  await Promise.all(working);
  leases.abort();
  recording.abort();
  await Promise.all([sharding, eventing, caching, certifying, server.close(), plain.close()]);
  await client.close();
}

main().catch((error: unknown) => {
  if (error instanceof FlagInvalid) console.error(`botmint: ${error.message}`);
  else console.error(`botmint: ${error instanceof Error ? error.message : 'failed'}`);
  process.exit(1);
});
