import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { botToken } from './manifests.ts';
import { keySecrets, OwnIssuer } from './own-issuer.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

const pem = (text: string) => ({ 'key.pem': Buffer.from(text).toString('base64') });

describe('a signing key', () => {
  test('that was edited stalls the issuer and signs nothing; one that was deleted is followed by the next', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnIssuer.make(site, namespace);
    const [first, second] = await issuer.reaches('Active', 'Next');
    await site.api.patch(`${keySecrets}/${first?.secretName}`, { data: pem('edited') });
    await issuer.says('SigningKeyInvalid');
    await site.apply(issuer.bot + botToken('token'), namespace);
    await site.ready('bottokens', namespace, 'token', 'IssuerNotReady');
    expect(await site.secret(namespace, 'token')).toBeUndefined();
    await site.api.delete(`${keySecrets}/${first?.secretName}`);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    const after = await issuer.reaches('Retired', 'Active', 'Next');
    expect(after.map(({ kid }) => kid).slice(0, 2)).toEqual([first?.kid, second?.kid]);
    expect((await issuer.served()).sort()).toEqual(after.map(({ kid }) => kid).sort());
  });

  test('that was put back by hand, without label and annotations, is watched like any other', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnIssuer.make(site, namespace);
    const [first] = await issuer.reaches('Active', 'Next');
    const path = `${keySecrets}/${first?.secretName}`;
    const before = await site.api.get(path);
    await site.api.patch(path, { metadata: { labels: null, annotations: null }, data: pem('edited') });
    await issuer.says('SigningKeyInvalid');
    await site.api.patch(path, { data: before?.data });
    await issuer.says('KeysPublished');
  });
});

describe('an issuer that is deleted', () => {
  test('waits for its last credential, and goes with it', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnIssuer.make(site, namespace);
    const keys = await issuer.reaches('Active', 'Next');
    await site.apply(issuer.bot + botToken('token'), namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    await site.api.delete(issuer.path);
    await issuer.says('InUse');
    const objects = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}`;
    await Promise.all([site.api.delete(`${objects}/bottokens/token`), site.api.delete(`${objects}/botusers/bot`)]);
    await eventually('it is gone', async () => (await issuer.object()) === undefined);
    // The garbage collector follows a kind whose CRD is new only after its next look at the API, up to half a minute later.
    const secretsAreGone = async () => !(await Promise.all(keys.map(key => issuer.hasSecret(key)))).includes(true);
    await eventually('its keys are', secretsAreGone);
  });
});
