import type { BotToken } from '../../src/api/bot-token.ts';
import type { BotUser } from '../../src/api/bot-user.ts';
import type { ClusterTokenIssuer, IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { conditionsOf } from '../../src/api/conditions.ts';
import { TokenInputs } from '../../src/api/inputs.ts';
import { revokeFinalizer } from '../../src/api/names.ts';
import type { Revocation } from '../../src/api/revocation.ts';
import { botTokens, botUserNameOf } from '../../src/decide/bot-token.ts';
import { tokenGrant } from '../../src/decide/bot-token-grant.ts';
import type { Observed, OwnSecret, PrincipalSeen, Refused, SecretSeen } from '../../src/decide/credential-seen.ts';
import { isSuspended, uidOf } from '../../src/decide/grant.ts';
import type { TargetsSeen } from '../../src/decide/rollout.ts';
import { type SecretMetadata, wantedMetadata } from '../../src/decide/secret-metadata.ts';

// One bot with one token of 90 days, its third, a month after its issue; each test changes the one thing it is about.
export const now = new Date('2026-12-01T00:00:00Z');
export const later = (seconds: number) => new Date(now.getTime() + seconds * 1000).toISOString().replace('.000', '');
export const uid = '5f0c2a3e-6c1b-4f4e-9a55-0d6f3e0b8f11';
export const tokenID = `${uid}.3.kq0wfY2nq3Vb1x9T`;
const born = { resourceVersion: '7', generation: 1, creationTimestamp: '2026-11-01T00:00:00Z' };

export const issuer: IssuerOf<'jwt'> = {
  metadata: { name: 'builtin', uid: 'issuer-uid', ...born },
  spec: {
    jwt: {
      issuerURL: 'https://tokens.example.com',
      audiences: ['https://buf.example.com', 'https://api.example.com'],
      algorithm: 'ES256',
      keyRotation: '90d',
      keyActivationDelay: '20m',
    },
    allowedNamespaces: { from: 'All' },
    limits: { scopes: ['modules:*'], identities: ['github/*'] },
  },
  status: {
    keys: [
      {
        kid: 'key-1',
        publicJWK: { alg: 'ES256' },
        state: 'Active',
        since: born.creationTimestamp,
        secretName: 'key-1',
      },
    ],
  },
};

export const botUser: BotUser = {
  metadata: { name: 'ci', namespace: 'team-a', uid: 'bot-uid', ...born },
  spec: {
    issuerRef: { kind: 'ClusterTokenIssuer', name: 'builtin' },
    username: 'ci-bot',
    allowedNamespaces: { from: 'Same' },
    identities: [{ service: 'github', id: 'acme-ci' }],
  },
};

export const inputs: TokenInputs = {
  format: 1,
  username: 'ci-bot',
  issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'issuer-uid' },
  botUser: { namespace: 'team-a', name: 'ci', uid: 'bot-uid' },
  expiresIn: '90d',
  issuedAt: '2026-11-01T00:00:00Z',
  expiresAt: '2027-01-30T00:00:00Z',
  audiences: ['https://buf.example.com'],
  audiencesDefaulted: true,
  scopes: ['modules:read', 'modules:write'],
  identities: [{ service: 'github', id: 'acme-ci' }],
  keyID: 'key-1',
  secret: { data: [{ key: 'BUF_TOKEN', template: '$(token)' }], labels: { team: 'a' }, annotations: {} },
  digest: 'operator-key.digest-of-the-data',
};

/** Applied and seen by nobody yet. */
export const fresh: BotToken = {
  metadata: { name: 'deploy', namespace: 'team-a', uid, ...born },
  spec: {
    botUserRef: { name: 'ci' },
    expiresIn: '90d',
    scopes: ['modules:read', 'modules:write'],
    rotation: {},
    secret: { type: 'Opaque', data: [{ key: 'BUF_TOKEN', template: '$(token)' }], labels: { team: 'a' } },
  },
  status: { observedGeneration: -1 },
};

/** Recorded and Ready, with a renewal ahead. */
export const served: BotToken = {
  ...fresh,
  metadata: { ...fresh.metadata, finalizers: [revokeFinalizer] },
  status: {
    observedGeneration: 1,
    conditions: conditionsOf(
      {
        state: 'ready',
        reason: 'Issued',
        message: 'the credential is in Secret deploy; it ends at 2027-01-30T00:00:00Z',
      },
      undefined,
      1,
      new Date('2026-11-01T00:00:00Z'),
    ),
    tokenID,
    revision: 3,
    issuedAt: '2026-11-01T00:00:00Z',
    expiresAt: '2027-01-30T00:00:00Z',
    renewAt: '2026-12-25T17:16:04Z',
    secretName: 'deploy',
    issued: { inputs, secret: { name: 'deploy', uid: 'secret-uid', resourceVersion: '40' } },
  },
};

/** The Secret as botmint wrote it. */
export const secret: OwnSecret = {
  state: 'ours',
  uid: 'secret-uid',
  resourceVersion: '40',
  metadata: wantedMetadata({ kind: botTokens, object: served }, { revision: 3, tokenID, inputs }),
  digest: inputs.digest,
  unreadable: false,
};

/** Applied, with its finalizer, and nothing issued yet. */
export const finalized: BotToken = { ...fresh, metadata: served.metadata };

/** No Secret by the watch alone, and by a live read; one without any mark of botmint. */
export const absent = { state: 'absent', confirmed: false } as const;
export const gone = { state: 'absent', confirmed: true } as const;
export const foreign = { state: 'foreign', confirmed: true } as const;

/** What stands around the token, in the terms of a cluster. */
export interface Situation {
  token: BotToken;
  botUser: BotUser | 'unreadable' | undefined;
  issuer: ClusterTokenIssuer | 'unreadable' | undefined;
  rivals: readonly BotUser[];
  secret: SecretSeen;
  confirmed: Partial<Observed['confirmed']>;
  revocations: readonly Revocation[];
  lostIssuer: Observed['lostIssuer'];
  earlierClaim: string;
  refused: Refused;
  targets: TargetsSeen;
  listed: Observed['listed'];
}

/** The healthy situation with something else about it, as an operator sees it. */
export function seen(change: Partial<Situation> = {}): Observed {
  const { token = served, confirmed, revocations = [], earlierClaim, refused, targets = new Map() } = change;
  return {
    kind: botTokens,
    object: token,
    principal: botUserSeen({ botUser, issuer, rivals: [], ...change, token }),
    secret: change.secret ?? secret,
    confirmed: { principal: false, issuer: false, ...confirmed },
    listed: change.listed ?? new Map(),
    revocations,
    lostIssuer: change.lostIssuer,
    earlierClaim,
    refused: refused === undefined ? {} : { [refused.operation]: refused },
    targets,
  };
}

function botUserSeen(o: Pick<Situation, 'token' | 'botUser' | 'issuer' | 'rivals'>): PrincipalSeen {
  const name = botUserNameOf(o.token);
  if (o.botUser === undefined) return { state: 'absent', name };
  if (o.botUser === 'unreadable') return { state: 'unreadable', name };
  const { deletionTimestamp: since } = o.botUser.metadata;
  if (since !== undefined) return { state: 'deleted', name, since };
  const around = { issuer: o.issuer, namespaceLabels: {} };
  const grant = tokenGrant(o.token, o.botUser, o.rivals, around, now);
  const { uid } = o.botUser.metadata;
  return { state: 'found', uid, suspended: isSuspended(o.botUser, now), issuerUID: uidOf(around), grant };
}

export function withSpec(spec: Partial<BotToken['spec']>, token: BotToken = served): BotToken {
  return { ...token, metadata: { ...token.metadata, generation: 2 }, spec: { ...token.spec, ...spec } };
}

export function withUserSpec(spec: Partial<BotUser['spec']>): BotUser {
  return { ...botUser, spec: { ...botUser.spec, ...spec } };
}

export function withIssuerSpec(spec: Partial<IssuerOf<'jwt'>['spec']>): IssuerOf<'jwt'> {
  return { ...issuer, spec: { ...issuer.spec, ...spec } };
}

/** The token with annotations that somebody put on it; they do not move its generation. */
export function annotated(annotations: Record<string, string>, token: BotToken = served): BotToken {
  return { ...token, metadata: { ...token.metadata, annotations } };
}

export function withSecretSpec(change: Partial<BotToken['spec']['secret']>): BotToken {
  return withSpec({ secret: { ...served.spec.secret, ...change } });
}

export function withStatus(status: NonNullable<BotToken['status']>, token: BotToken = served): BotToken {
  return { ...token, status: { ...token.status, ...status } };
}

/** The same token with a record that was made from something else, in Secret and status alike; undefined takes a field out. */
export function madeFrom(
  change: { [Field in keyof TokenInputs]?: TokenInputs[Field] | undefined },
): Pick<Situation, 'token' | 'secret'> {
  const made = TokenInputs.parse(JSON.parse(JSON.stringify({ ...inputs, ...change })));
  const { expiresAt: _, renewAt: __, ...status } = served.status ?? {};
  const expiresAt = made.expiresAt === undefined ? {} : { expiresAt: made.expiresAt };
  const issued = { inputs: made, secret: { name: 'deploy', uid: 'secret-uid', resourceVersion: '40' } };
  return {
    token: { ...served, status: { ...status, ...expiresAt, issued } },
    secret: secretOf(served, { inputs: made }),
  };
}

/** The Secret with other marks, as botmint would have written them. */
export function secretOf(
  token: BotToken,
  marks: { revision?: number; tokenID?: string; inputs?: TokenInputs },
): OwnSecret {
  const all = { revision: 3, tokenID, inputs, ...marks };
  return { ...secret, metadata: wantedMetadata({ kind: botTokens, object: token }, all), digest: all.inputs.digest };
}

type Whole = { [Part in keyof SecretMetadata]-?: NonNullable<SecretMetadata[Part]> };

/** The Secret after somebody changed its metadata. */
export function touched(change: (metadata: Whole) => Partial<SecretMetadata>): OwnSecret {
  const { labels = {}, annotations = {}, ownerReferences = [] } = secret.metadata;
  const whole = { labels, annotations, ownerReferences };
  return { ...secret, resourceVersion: '41', metadata: { ...whole, ...change(whole) } };
}

/** The Secret after somebody took one of its annotations away. */
export function withoutAnnotation(name: string): OwnSecret {
  return touched(({ annotations }) => {
    const { [name]: _, ...rest } = annotations;
    return { annotations: rest };
  });
}

/** The Secret after somebody wrote another value into one of its annotations. */
export function withAnnotation(name: string, value: string): OwnSecret {
  return touched(({ annotations }) => ({ annotations: { ...annotations, [name]: value } }));
}

/** The same object on its way out. */
export function deleting<T extends { metadata: object }>(object: T): T {
  return { ...object, metadata: { ...object.metadata, deletionTimestamp: later(-1) } };
}

/** Another object of the same name: the old one was deleted, and applied again. */
export function recreated<T extends { metadata: object }>(object: T): T {
  return { ...object, metadata: { ...object.metadata, uid: 'another-uid' } };
}

export function withoutFinalizer(token: BotToken): BotToken {
  const { finalizers: _, ...metadata } = token.metadata;
  return { ...token, metadata };
}
