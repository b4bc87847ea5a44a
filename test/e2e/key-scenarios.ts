import { eventually } from '../cluster/wait.ts';
import { botToken } from './manifests.ts';
import { OwnIssuer } from './own-issuer.ts';
import type { Scenario } from './scenarios.ts';
import type { Site } from './site.ts';

// What happens to signing keys, as scenarios: each has an issuer of its own, which the run deletes in the end.

const day = 24 * 3600 * 1000;
const issuer = (namespace: string) => ({ name: namespace, url: `https://${namespace}.example.com` });

async function prepare(site: Site, namespace: string): Promise<void> {
  const { bot } = await OwnIssuer.make(site, namespace, { keyRotation: '3d', keyActivationDelay: '4m' });
  await site.apply(bot + botToken('token', { expiresIn: 'never' }), namespace);
  await site.ready('bottokens', namespace, 'token', 'Issued');
}

export const keyScenarios: readonly Scenario[] = [
  {
    name: 'key rotation',
    prepare,
    // Past one rotation and before the second, also for a clock that jumps by an hour.
    clockOffsetMilliseconds: 4 * day,
    act: async () => undefined,
    settled: async (site, namespace) => {
      const own = new OwnIssuer(site, namespace);
      const keys = await own.reaches('Retired', 'Active', 'Next');
      // In the order of their numbers: none was made in vain.
      const numbers = keys.map(({ secretName }) => secretName.split('-').at(-1));
      if (numbers.join() !== '1,2,3') throw new Error(`the keys have the numbers ${numbers.join()}`);
    },
    issuer,
    // It verifies with the key that is retired now.
    live: 1,
    issues: 1,
  },
  {
    name: 'retire key',
    prepare,
    act: async (site, namespace) => {
      const own = new OwnIssuer(site, namespace);
      const [active] = await own.reaches('Active', 'Next');
      await own.annotate({ 'botmint.dev/retire-key': active?.kid ?? '' });
    },
    settled: async (site, namespace) => {
      const own = new OwnIssuer(site, namespace);
      await eventually('a key is withdrawn', async () => (await own.status()).withdrawnKeys?.length === 1);
      await own.reaches('Active', 'Next');
      const { uid = '' } = (await own.object())?.metadata ?? {};
      const secretName = `botmint-es256-${uid}-1`;
      await eventually('its private half is gone', async () => !(await own.hasSecret({ secretName })));
      await eventually('the token was replaced', async () => {
        const token = await site.token(namespace, 'token');
        return JSON.stringify(token?.status).includes('"revision":2');
      });
      await site.ready('bottokens', namespace, 'token', 'Issued');
    },
    issuer,
    live: 1,
    issues: 2,
  },
];
