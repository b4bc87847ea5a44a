import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { eventually } from '../cluster/wait.ts';
import { clientOf, configOf, json, localServer, silence, silent } from '../kube/local-server.ts';

test('of caches, those are old that cannot be read, and no others', async () => {
  const { origin } = await localServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    if (pathname.endsWith('/revocations')) return json(403, { kind: 'Status', code: 403 })(request, response);
    if (searchParams.has('watch')) return silence();
    json(200, { metadata: { resourceVersion: '1' }, items: [] })(request, response);
  });
  const { client } = clientOf(configOf(origin));
  const caches = new Caches({ client, namespace: 'botmint-system', log: silent, clock: systemClock });
  const stop = new AbortController();
  const running = caches.run(stop.signal);
  const readable = ['issuers', 'tokens', 'robots', 'botUsers', 'secrets', 'namespaces', 'statusLists'] as const;
  await eventually('what can be read is read', () => caches.age(readable) < 60_000);
  expect(caches.age([...readable, 'revocations'])).toBe(Number.POSITIVE_INFINITY);
  stop.abort();
  await running;
});
