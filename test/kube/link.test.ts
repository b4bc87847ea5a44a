import { once } from 'node:events';
import { createServer } from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import { Metrics } from '../../src/base/metrics.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { Client } from '../../src/kube/client.ts';
import { configMaps } from '../../src/kube/core-kinds.ts';
import type { ClusterConfig } from '../../src/kube/credentials.ts';
import { Authority } from '../cluster/certificates.ts';
import { eventually } from '../cluster/wait.ts';
import { noTLS, silent } from './local-server.ts';

const ref = { namespace: 'ns', name: 'a' };
const object = { metadata: { ...ref, uid: 'u', resourceVersion: '7', creationTimestamp: '' } };
const { signal } = new AbortController();

test('a replaced CA and a replaced token are taken over beside the calls', async () => {
  const [first, second] = await Promise.all([Authority.create('first'), Authority.create('second')]);
  const { server, origin, tokens } = await serving(first);
  let ca = first.pair.certificate;
  let token = 'one';
  const config: ClusterConfig = {
    origin,
    basePath: '',
    namespace: undefined,
    credentials: () => {
      const authorization = new SecretValue(`Bearer ${token}`);
      return Promise.resolve({ authorization, impersonation: [], tls: { ...noTLS, ca } });
    },
  };
  const client = clientRenewing(config);
  const get = () => client.get(configMaps, ref, { signal });
  await get();
  token = 'two';
  await eventually('the new token is shown', async () => (await get()) && tokens.at(-1) === 'Bearer two');
  server.setSecureContext(await contextOf(second));
  server.closeAllConnections();
  await expect(get()).rejects.toMatchObject({ lack: 'connection' });
  ca = second.pair.certificate;
  await eventually('the new CA is believed', async () => (await get()) !== undefined);
});

function clientRenewing(config: ClusterConfig): Client {
  const options = { config, log: silent, metrics: new Metrics(), userAgent: 'botmint/test', renewalMilliseconds: 20 };
  const client = new Client(options);
  onTestFinished(() => client.close());
  return client;
}

async function contextOf(authority: Authority) {
  const { certificate, privateKey } = await authority.server({ dns: ['localhost'], ip: ['127.0.0.1'] });
  return { cert: certificate, key: privateKey };
}

/** An HTTPS server that has the object, and the tokens that it was shown. */
async function serving(authority: Authority) {
  const tokens: (string | undefined)[] = [];
  const server = createServer(await contextOf(authority), (request, response) => {
    tokens.push(request.headers.authorization);
    response.end(JSON.stringify(object));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return { server, origin: `https://127.0.0.1:${address.port}`, tokens };
}
