import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { botToken, botUser } from './manifests.ts';
import { Site } from './site.ts';

// What happens while no operator runs is put right by its next start: the end is that of a run without the gap.

const day = 24 * 3_600_000;
const rotation = { overlap: '10d' };

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
});

afterAll(() => site?.close());

/** The namespaces of one run, by what will happen there. */
type World = Record<'expires' | 'loses' | 'disabled' | 'goes', string>;

async function makeWorld(): Promise<World> {
  const world: World = {
    expires: await site.namespace(),
    loses: await site.namespace(),
    disabled: await site.namespace(),
    goes: await site.namespace(),
  };
  for (const [what, namespace] of Object.entries(world)) {
    const life = what === 'expires' ? { expiresIn: '1d' } : { expiresIn: '30d', rotation };
    await site.apply(botUser('bot') + botToken('token', life), namespace);
  }
  await Promise.all(Object.values(world).map(namespace => site.ready('bottokens', namespace, 'token', 'Issued')));
  return world;
}

async function happen({ loses, disabled, goes }: World): Promise<void> {
  await site.api.delete(`/api/v1/namespaces/${loses}/secrets/token`);
  await site.api.patch(`/apis/botmint.dev/v1alpha1/namespaces/${disabled}/botusers/bot`, { spec: { disabled: true } });
  await site.api.delete(`/api/v1/namespaces/${goes}`);
}

const Token = z.object({
  status: z.object({
    revision: z.number(),
    previous: z.array(z.unknown()).optional(),
    conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string() })),
  }),
});

/** What is there at the end, without what differs between any two runs. */
async function endOf(world: World, firstRequest: number) {
  await site.ready('bottokens', world.expires, 'token', 'Expired');
  await site.ready('bottokens', world.disabled, 'token', 'BotUserDisabled');
  await site.ready('botusers', world.disabled, 'bot', 'Disabled');
  await eventually('revision 2', async () => Token.parse(await site.token(world.loses, 'token')).status.revision === 2);
  await site.ready('bottokens', world.loses, 'token', 'Issued');
  const gone = async () => (await site.api.get(`/api/v1/namespaces/${world.goes}`)) === undefined;
  await eventually('the namespace is gone', gone);
  const live: Record<string, number> = {};
  for (const token of site.mintedTokens(firstRequest)) {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const [what = ''] =
      Object.entries(world).find(([, namespace]) => namespace === claims['botmint.dev'].namespace) ?? [];
    live[what] = (live[what] ?? 0) + ((await site.introspect(token)).active ? 1 : 0);
  }
  const left = await Promise.all(
    (['expires', 'loses', 'disabled'] as const).map(async what => {
      const { status } = Token.parse(await site.token(world[what], 'token'));
      const secrets = await site.api.list(`/api/v1/namespaces/${world[what]}/secrets`);
      return {
        what,
        revision: status.revision,
        previous: status.previous?.length,
        conditions: status.conditions.map(({ type, status: is, reason }) => `${type}=${is} ${reason}`),
        secrets: secrets.map(({ metadata }) => metadata.name),
      };
    }),
  );
  return { live, left };
}

test('an operator that was away ends where one that was there ends', { timeout: 600_000 }, async () => {
  await site.start();
  const present = site.proxy.requests.length;
  const watched = await makeWorld();
  await happen(watched);
  await site.ready('bottokens', watched.disabled, 'token', 'BotUserDisabled');
  await site.operator.setClock(2 * day);
  const expected = await endOf(watched, present);
  expect(expected.live).toEqual({ expires: 0, loses: 2, disabled: 0, goes: 0 });
  await site.operator.setClock(0);

  const away = site.proxy.requests.length;
  const alone = await makeWorld();
  await site.operator.stop();
  await happen(alone);
  await site.start({ clockOffsetMilliseconds: 2 * day });
  expect(await endOf(alone, away)).toEqual(expected);
});
