// The token endpoint of the operator as a process of its own, over robots as the operator's caches hold them.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';
import { systemClock as clock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { LastUsed } from '../../src/controllers/last-used.ts';
import { holderIn } from '../../src/controllers/robot-accounts.ts';
import { readSigner } from '../../src/issuers/registry/signer.ts';
import { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import { Client } from '../../src/kube/client.ts';
import { createServer } from '../../src/server/listen.ts';
import { registryAccounts } from '../../src/server/registry-accounts.ts';
import { registryTokenEndpoint } from '../../src/server/registry-token.ts';
import { registry } from '../decide/robots.ts';
import { RobotsAtRest } from './robots-at-rest.ts';
import { answerLines } from './server-process.ts';

const pair = { certificate: z.string(), key: z.string() };
/** What the endpoint serves with, and for how many robots; `own` of them have brought their secrets. */
export const Endpoint = z.object({
  serving: z.object(pair),
  signing: z.object(pair),
  robots: z.number(),
  own: z.number(),
});
export type Endpoint = z.infer<typeof Endpoint>;

const login = z.object({ username: z.string(), password: z.string() });
/** What it says when it listens. */
export const EndpointSaid = z.object({
  port: z.number(),
  path: z.string(),
  generated: z.array(login),
  own: z.array(login),
});
export type EndpointSaid = z.infer<typeof EndpointSaid>;

/** What it says to everything after that: the live heap that it has grown by since there were no robots, in bytes. */
export const HeapSaid = z.object({ heap: z.number() });

if (import.meta.main) {
  let before = 0;
  await answerLines(async told => {
    if (before !== 0) return { heap: liveHeap() - before };
    before = liveHeap();
    return serve(Endpoint.parse(told));
  });
}

/** With the parts of main.ts; there is no cluster, so nothing changes and no `lastUsed` is written. */
async function serve(o: Endpoint): Promise<EndpointSaid> {
  const log = createLog('error', 'json');
  const metrics = new Metrics();
  const config = {
    origin: 'https://127.0.0.1:1',
    basePath: '',
    namespace: undefined,
    credentials: noCredentials,
  };
  const client = new Client({ config, log, metrics, userAgent: 'bench' });
  const caches = new Caches({ client, namespace: 'botmint-system', log, clock });
  const verifiers = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]));
  const robots = new RobotsAtRest(caches, verifiers);
  const generated = Array.from({ length: o.robots - o.own }, () => robots.addGenerated());
  const ownSecrets = Array.from({ length: o.own }, (_, n) => new SecretValue(`Passw0rd-${n}`));
  const own = await Promise.all(ownSecrets.map(secret => robots.addOwn(secret)));
  const lastUsed = new LastUsed({ client, caches, clock }, log);
  const signer = readSigner(pairOf(o.signing));
  const server = createServer({ certificates: { current: pairOf(o.serving), onChange: () => undefined }, log });
  registryTokenEndpoint(server.app, {
    ...registryAccounts(caches, holderIn(caches)),
    signers: { of: () => signer },
    verifiers,
    used: (account, at) => lastUsed.note(account, at),
    cachesAge: () => 0,
    clock,
    log,
    metrics,
  });
  const { port } = await server.listen('127.0.0.1:0');
  return { port, path: `/registry/${registry.metadata.name}/token`, generated, own };
}

function noCredentials(): Promise<never> {
  return Promise.reject(new Error('there is no cluster'));
}

function pairOf({ certificate, key }: { certificate: string; key: string }) {
  return { certificate, key: new SecretValue(key) };
}

function liveHeap(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}
