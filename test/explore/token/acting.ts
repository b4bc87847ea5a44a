import { BotToken } from '../../../src/api/bot-token.ts';
import { BotUser } from '../../../src/api/bot-user.ts';
import { ClusterTokenIssuer, isOfType } from '../../../src/api/cluster-token-issuer.ts';
import { inUseFinalizer, revokeFinalizer } from '../../../src/api/names.ts';
import { unreachable } from '../../../src/base/errors.ts';
import { dataOf } from '../../../src/controllers/secret-readings.ts';
import {
  type Minted,
  newSecret,
  relabelled,
  relabelledMarks,
  rendered,
  rewrittenSecret,
} from '../../../src/controllers/secret-writes.ts';
import { botTokens } from '../../../src/decide/bot-token.ts';
import { decide as decideBot } from '../../../src/decide/bot-user.ts';
import { decide } from '../../../src/decide/credential.ts';
import type { OwnSecret, Step } from '../../../src/decide/credential-seen.ts';
import { decide as decideIssuer } from '../../../src/decide/issuer.ts';
import { readBack } from '../../../src/decide/secret-data.ts';
import { type Owner, renderingOf } from '../../../src/decide/secret-metadata.ts';
import { withFinalizer, withoutFinalizer } from '../../../src/kube/finalizer.ts';
import { applyMergePatch } from '../../base/apply-merge-patch.ts';
import { type StoredSecret, whole } from '../../decide/api-server.ts';
import type { Contents, TokenSnapshot } from './contents.ts';
import { countsForBot, countsForIssuer, type Sight } from './observing.ts';
import { digestKey, minted } from './signing.ts';

/** The data that one write of a Secret brings, as the operator remembers it: undefined for its metadata alone. */
type Known = { digest: string; keys: readonly string[] } | undefined;

/** What an operator does next, as an effect on the model's world. The decisions are the real ones. */
export type Effect =
  | { do: 'rest' }
  /** A live read. */
  | { do: 'confirm'; what: 'principal' | 'issuer' | 'secret' | 'count' }
  | { do: 'write-token'; after: Omit<TokenSnapshot, 'version'> | 'gone' }
  | { do: 'write-bot' | 'write-issuer'; content: number }
  /** `nonce`: how many credentials of its revision are known anywhere. */
  | { do: 'create-secret'; body: (nonce: number) => { content: number; known: Known }; id: string }
  | {
      do: 'patch-secret';
      version: number;
      body: (secret: StoredSecret, nonce: number) => { content: number; known: Known } | 'unreadable';
      id: string | undefined;
    }
  | { do: 'delete-secret'; version: number; uid: string; predecessor: boolean };

/** What the real decision says of one token. This is the one place that knows every step. */
export function tokenEffect(sight: Sight, t: number, contents: Contents): Effect {
  const token = sight.token(t);
  if (token === undefined) return { do: 'rest' };
  const step = decide(sight.observed(token), sight.now);
  switch (step.do) {
    case 'rest':
      return { do: 'rest' };
    case 'confirm':
      return { do: 'confirm', what: step.what };
    case 'add-finalizer':
      return patched(contents, token, withFinalizer(token, revokeFinalizer) ?? {});
    case 'remove-finalizer':
      return patched(contents, token, withoutFinalizer(token, revokeFinalizer) ?? {});
    case 'write-status':
      return patched(contents, token, { status: step.patch });
    case 'issue':
      return issueEffect(sight, token, step, contents);
    case 'render':
      return renderEffect(sight, token, step, contents);
    case 'label': {
      const { over, record } = step;
      const body = { metadata: relabelled(owner(token), over, relabelledMarks(token, record)) };
      const keys = sight.readings().keys(over.uid, token);
      const known = over.digest === undefined ? undefined : { digest: over.digest, keys };
      return {
        do: 'patch-secret',
        version: Number(over.resourceVersion),
        body: secret => ({ content: contents.numberOfSecret(merged(secret, body)), known }),
        id: undefined,
      };
    }
    case 'delete-secret': {
      const { uid, resourceVersion, cause } = step;
      return { do: 'delete-secret', uid, version: Number(resourceVersion), predecessor: cause === 'predecessor' };
    }
    case 'read-workloads':
    case 'restart-workload':
    case 'hand-over':
    case 'list':
      // No token here restarts anything or stands in a status list, and no revocation is held up.
      throw new Error(`${step.do}: no scenario has this`);
    default:
      return unreachable(step);
  }
}

function patched(contents: Contents, token: BotToken, body: { metadata?: object; status?: object }): Effect {
  const after = BotToken.parse(applyMergePatch(token, body));
  const gone = after.metadata.deletionTimestamp !== undefined && (after.metadata.finalizers ?? []).length === 0;
  return { do: 'write-token', after: gone ? 'gone' : contents.snapshotOf(after) };
}

function issueEffect(sight: Sight, token: BotToken, step: Step & { do: 'issue' }, contents: Contents): Effect {
  if (sight.issuer()?.metadata.uid !== step.wish.issuer.uid) return { do: 'rest' };
  const id = `${token.metadata.uid}.${step.revision}.`;
  const { over, now } = { over: step.over, now: sight.now };
  if (over === undefined) {
    const body = (nonce: number) => {
      const made = minted(token, step, nonce, now);
      const secret = newSecret(owner(token), made) as unknown as StoredSecret;
      return { content: contents.numberOfSecret(bare(secret)), known: knownOf(made) };
    };
    return { do: 'create-secret', body, id };
  }
  return rewrite(sight, token, over, nonce => minted(token, step, nonce, now), contents, id);
}

function rewrite(
  sight: Sight,
  token: BotToken,
  over: OwnSecret,
  make: (nonce: number, secret: StoredSecret) => Minted | undefined,
  contents: Contents,
  id: string | undefined,
): Effect & { do: 'patch-secret' } {
  const keys = sight.readings().keys(over.uid, token);
  return {
    do: 'patch-secret',
    version: Number(over.resourceVersion),
    body: (secret, nonce) => {
      const made = make(nonce, secret);
      if (made === undefined) return 'unreadable';
      const after = merged(secret, rewrittenSecret(owner(token), over, keys, made));
      return { content: contents.numberOfSecret(after), known: knownOf(made) };
    },
    id,
  };
}

function renderEffect(sight: Sight, token: BotToken, step: Step & { do: 'render' }, contents: Contents): Effect {
  const { tokenID, revision, inputs } = step.record;
  const make = (_: number, secret: StoredSecret) => {
    const credential = readBack(inputs.secret.data, dataOf(whole(secret)), { ...inputs, tokenID });
    const marks = { revision, tokenID, inputs: { ...step.inputs, secret: renderingOf(token) } };
    return credential && rendered(credential, marks, digestKey);
  };
  return rewrite(sight, token, step.over, make, contents, undefined);
}

function owner(object: BotToken): Owner {
  return { kind: botTokens, object };
}

function knownOf(made: Minted): Known {
  return { digest: made.inputs.digest, keys: [...made.data.keys()] };
}

function merged(secret: StoredSecret, body: object): StoredSecret {
  return applyMergePatch(secret, body) as StoredSecret;
}

/** Only what a Secret is looked at for. */
function bare({ metadata, data }: StoredSecret): StoredSecret {
  const { labels, annotations, ownerReferences } = metadata as unknown as Record<string, unknown>;
  return { metadata: { labels, annotations, ownerReferences } as never, data };
}

/** What the real decision says of the BotUser. A count in its status is left out: it is not in the path of a token. */
export function botEffect(sight: Sight, contents: Contents): Effect {
  const botUser = sight.bot();
  if (botUser === undefined) return { do: 'rest' };
  const counts = (token: BotToken) => countsForBot(botUser, token, sight.now);
  const counted = sight.counted();
  const activeTokens = sight.tokens().filter(counts).length;
  const step = decideBot(
    { botUser, grant: sight.botGrant(botUser), activeTokens, confirmedTokens: counted },
    sight.now,
  );
  const written = (body: object): Effect => ({
    do: 'write-bot',
    content: numberUnlessGone(BotUser.parse(applyMergePatch(botUser, body)), bot => contents.numberOfBot(bot)),
  });
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
export function issuerEffect(sight: Sight, contents: Contents): Effect {
  const issuer = sight.issuer();
  if (issuer?.metadata.deletionTimestamp === undefined || !isOfType(issuer, 'jwt')) return { do: 'rest' };
  const credentials = sight.tokens().filter(token => countsForIssuer(issuer, token)).length;
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
  return { do: 'write-issuer', content: numberUnlessGone(after, left => contents.numberOfIssuer(left)) };
}

function numberUnlessGone<T extends BotUser | ClusterTokenIssuer>(object: T, numberOf: (object: T) => number): number {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  return deletionTimestamp !== undefined && finalizers.length === 0 ? 0 : numberOf(object);
}
