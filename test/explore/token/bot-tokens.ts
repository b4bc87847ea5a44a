import { BotToken } from '../../../src/api/bot-token.ts';
import { BotUser } from '../../../src/api/bot-user.ts';
import { ClusterTokenIssuer, isOfType } from '../../../src/api/cluster-token-issuer.ts';
import type { TokenInputs } from '../../../src/api/inputs.ts';
import { inUseFinalizer, revokeFinalizer } from '../../../src/api/names.ts';
import { unreachable } from '../../../src/base/errors.ts';
import { rendered } from '../../../src/controllers/secret-writes.ts';
import { botTokens, botUserNameOf } from '../../../src/decide/bot-token.ts';
import { botUserGrant, tokenGrant } from '../../../src/decide/bot-token-grant.ts';
import { decide as decideBot } from '../../../src/decide/bot-user.ts';
import { recordOf } from '../../../src/decide/credential-record.ts';
import type { PrincipalSeen } from '../../../src/decide/credential-seen.ts';
import { livePrevious } from '../../../src/decide/credential-status.ts';
import { uidOf } from '../../../src/decide/grant.ts';
import { tokenInputsOf } from '../../../src/decide/inputs-of.ts';
import { decide as decideIssuer } from '../../../src/decide/issuer.ts';
import type { BotTokenClaims } from '../../../src/issuers/jwt/claims.ts';
import { isLive } from '../../../src/issuers/jwt/live.ts';
import { withFinalizer, withoutFinalizer } from '../../../src/kube/finalizer.ts';
import { applyMergePatch } from '../../base/apply-merge-patch.ts';
import { fresh, botUser as healthyBot, issuer as healthyIssuer } from '../../decide/healthy.ts';
import { textOf } from '../../decide/signing.ts';
import { digestKey, type Effect } from '../credential/acting.ts';
import type { Contents } from '../credential/contents.ts';
import type { Manifests, Published, View, Walked } from '../credential/kind.ts';
import { countsForIssuer, type Sight } from '../credential/observing.ts';
import { eventsOf } from './events.ts';
import { wrongAtRest, wrongNow, wrongStep } from './rules.ts';

/** BotTokens, beside which stands the BotUser that they are for. */
export const botTokenWorld: Walked<BotToken, BotUser> = {
  kind: botTokens,
  words: { object: 'token', beside: 'bot' },
  parse: body => BotToken.parse(body),
  manifests,
  events: eventsOf,
  principal,
  minted: (token, step, { nonce, now }) => {
    const { revision } = step;
    const tokenID = `${token.metadata.uid}.${revision}.${nonce}`;
    const inputs = tokenInputsOf(token, step, { keyID: 'key-1', now });
    return rendered(textOf(tokenID), { revision, tokenID, inputs }, digestKey);
  },
  remade: (_, { inputs }) => inputs,
  besideEffect: botEffect,
  issuerEffect,
  countsForBeside: countsForBot,
  shownBy: (tokenID, inputs) => (inputs.robot === undefined ? tokenID : undefined),
  isLive: isLiveIn,
  wrongNow,
  wrongStep,
  wrongAtRest,
};

function manifests({
  objects,
  spec,
}: {
  objects: 1 | 2;
  spec: Partial<BotToken['spec']> | undefined;
}): Manifests<BotToken, BotUser> {
  const token: BotToken = {
    ...fresh,
    metadata: { ...fresh.metadata, uid: 'token-1' },
    spec: { ...fresh.spec, scopes: ['a', 'b'], expiresIn: '1h', ...spec },
  };
  const metadata = { ...token.metadata, name: 'other', uid: 'token-2', creationTimestamp: '2026-11-02T00:00:00Z' };
  const other = { ...token, metadata, spec: { ...token.spec, secret: { ...token.spec.secret, name: 'deploy' } } };
  return {
    objects: objects === 2 ? [token, other] : [token],
    beside: { ...healthyBot, metadata: { ...healthyBot.metadata, uid: 'bot-1', finalizers: [revokeFinalizer] } },
    issuer: {
      ...healthyIssuer,
      metadata: { ...healthyIssuer.metadata, finalizers: [inUseFinalizer] },
      spec: { ...healthyIssuer.spec, limits: { scopes: ['*'], identities: ['*'] } },
    },
  };
}

function principal(sight: Sight<BotToken, BotUser>, token: BotToken): PrincipalSeen {
  const bot = sight.beside();
  if (bot === undefined) return { state: 'absent', name: botUserNameOf(token) };
  const { deletionTimestamp: since } = bot.metadata;
  if (since !== undefined) return { state: 'deleted', name: botUserNameOf(token), since };
  const around = { issuer: sight.issuer(), namespaceLabels: {} };
  const grant = tokenGrant(token, bot, [], around, sight.now);
  const suspended = bot.spec.disabled === true;
  return { state: 'found', uid: bot.metadata.uid, suspended, issuerUID: uidOf(around), grant };
}

function isLiveIn(
  { uid, name, tokenID, inputs }: Published,
  { now, objects, beside: botUser, issuer, secret }: Omit<View<BotToken, BotUser>, 'live'>,
): boolean {
  const { issuedAt, expiresAt, username, audiences, botUser: bot } = inputs as TokenInputs; // no other is published here
  const claims: BotTokenClaims = {
    iss: 'https://tokens.example.com',
    sub: `bot:team-a:${username}`,
    aud: audiences,
    iat: Date.parse(issuedAt) / 1000,
    ...(expiresAt === undefined ? {} : { exp: Date.parse(expiresAt) / 1000 }),
    jti: tokenID,
    'botmint.dev': { namespace: 'team-a', name, uid, botUser: bot },
  };
  const token = objects.find(one => one?.metadata.uid === uid);
  return isLive(claims, { token, botUser, issuer, secret }, now).live === true;
}

/** As the controller of BotUsers counts: credentials that were issued for this very one. */
function countsForBot(bot: BotUser, token: BotToken, now: Date): boolean {
  const record = recordOf(token);
  if (record === undefined) return livePrevious(token, now).length > 0;
  if (record === 'unknown' || record.inputs.botUser?.uid !== bot.metadata.uid) return false;
  const { expiresAt } = record.inputs;
  const going = bot.metadata.deletionTimestamp !== undefined;
  return going || expiresAt === undefined || Date.parse(expiresAt) > now.getTime();
}

/** What the real decision says of the BotUser. A count in its status is left out: it is not in the path of a token. */
function botEffect(sight: Sight<BotToken, BotUser>, contents: Contents<BotToken, BotUser>): Effect<BotUser> {
  const botUser = sight.beside();
  if (botUser === undefined) return { do: 'rest' };
  const seen = { issuer: sight.issuer(), namespaceLabels: {} };
  const step = decideBot(
    {
      botUser,
      grant: botUserGrant(botUser, [], seen, sight.now),
      activeTokens: sight.objects().filter(token => countsForBot(botUser, token, sight.now)).length,
      confirmedTokens: sight.counted(),
    },
    sight.now,
  );
  const written = (body: object): Effect<BotUser> => {
    const after = BotUser.parse(applyMergePatch(botUser, body));
    return { do: 'write-beside', content: isGone(after) ? 0 : contents.numberOfBeside(after) };
  };
  switch (step.do) {
    case 'rest':
    case 'write-status':
      return { do: 'rest' };
    case 'add-finalizer':
      return written(withFinalizer(botUser, revokeFinalizer) ?? {});
    case 'remove-finalizer':
      return written(withoutFinalizer(botUser, revokeFinalizer) ?? {});
    case 'confirm-tokens':
      return { do: 'confirm', what: 'count' };
    default:
      return unreachable(step);
  }
}

/** What the real decision says of an issuer that is being deleted. Its keys are whole and stay as they are. */
function issuerEffect(sight: Sight<BotToken, BotUser>, contents: Contents<BotToken, BotUser>): Effect<BotUser> {
  const issuer = sight.issuer();
  if (issuer?.metadata.deletionTimestamp === undefined || !isOfType(issuer, 'jwt')) return { do: 'rest' };
  const credentials = sight.objects().filter(token => countsForIssuer(issuer, token)).length;
  const keys = issuer.status?.keys ?? [];
  const step = decideIssuer(
    {
      issuer,
      olderWithURL: undefined,
      keySecrets: new Map(keys.map(({ kid }) => [kid, { state: 'intact' as const }])),
      made: [],
      inTheWay: undefined,
      isNeeded: () => false,
      credentials,
      unknownCredentials: 0,
      confirmedCredentials: sight.counted(),
    },
    sight.now,
  );
  if (step.do === 'confirm-credentials') return { do: 'confirm', what: 'count' };
  if (step.do !== 'remove-finalizer') return { do: 'rest' };
  const after = ClusterTokenIssuer.parse(applyMergePatch(issuer, withoutFinalizer(issuer, inUseFinalizer) ?? {}));
  return { do: 'write-issuer', content: isGone(after) ? 0 : contents.numberOfIssuer(after) };
}

function isGone({ metadata: { deletionTimestamp, finalizers = [] } }: BotUser | ClusterTokenIssuer): boolean {
  return deletionTimestamp !== undefined && finalizers.length === 0;
}
