import { KubeConfig } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { Authority } from './certificates.ts';
import { kubeconfig } from './kubeconfig.ts';

test('a kubeconfig holds address, authority and credential', async () => {
  const authority = await Authority.create('test');
  const certificate = await authority.user('alice', ['dev']);
  const config = new KubeConfig();
  config.loadFromString(
    kubeconfig({ server: 'https://a:1', ca: authority.pair.certificate, credential: { certificate } }),
  );
  expect(config.getCurrentCluster()?.server).toBe('https://a:1');
  expect(Buffer.from(config.getCurrentUser()?.certData ?? '', 'base64').toString()).toBe(certificate.certificate);
});
