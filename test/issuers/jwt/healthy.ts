import type { BotToken } from '../../../src/api/bot-token.ts';
import type { BotUser } from '../../../src/api/bot-user.ts';
import type { IssuerOf } from '../../../src/api/cluster-token-issuer.ts';
import type { TokenInputs } from '../../../src/api/inputs.ts';
import { ownerUIDAnnotation, tokenIDAnnotation } from '../../../src/api/names.ts';
import type { BotTokenClaims } from '../../../src/issuers/jwt/claims.ts';
import type { PublicJWK } from '../../../src/issuers/jwt/keys.ts';
import type { SecretMetadata } from '../../../src/issuers/jwt/live.ts';
import { indexOf } from '../../../src/issuers/jwt/status-list.ts';

// One bot with one token, a month after its issue and long before its end; each test changes the one thing it is about.
export const now = new Date('2026-12-01T00:00:00Z');
export const later = (seconds: number) => new Date(now.getTime() + seconds * 1000).toISOString();
export const tokenUID = '5f0c2a3e-6c1b-4f4e-9a55-0d6f3e0b8f11';
export const userUID = '0b7f7b52-8a0e-4f5c-8c39-3a8b5b2f4a10';
export const issuerURL = 'https://tokens.example.com';
/** A token id of revision 3, the recorded one. */
export const recordedID = `${tokenUID}.3.kq0wfY2nq3Vb1x9T`;

export const inputs: TokenInputs = {
  format: 1,
  username: 'ci-bot',
  issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'a1' },
  botUser: { namespace: 'team-a', name: 'ci', uid: userUID },
  expiresIn: '90d',
  issuedAt: '2026-11-01T00:00:00Z',
  expiresAt: '2027-01-30T00:00:00Z',
  audiences: ['https://buf.example.com'],
  scopes: ['modules:read', 'modules:write'],
  identities: [{ service: 'github', id: 'acme-ci' }],
  keyID: 'any',
  statusListIndex: indexOf({ list: 1706643705, idx: 40961 }),
  secret: { data: [{ key: 'BUF_TOKEN' }], labels: {}, annotations: {} },
  digest: 'any',
};

export const claims: BotTokenClaims = {
  iss: issuerURL,
  sub: 'bot:team-a:ci-bot',
  aud: 'https://buf.example.com',
  iat: Date.parse('2026-11-01T00:00:00Z') / 1000,
  exp: Date.parse('2027-01-30T00:00:00Z') / 1000,
  jti: recordedID,
  status: { status_list: { idx: 40961, uri: 'https://tokens.example.com/status/1706643705' } },
  'botmint.dev': { namespace: 'team-a', name: 'deploy', uid: tokenUID, botUser: { name: 'ci', uid: userUID } },
};

const born = { resourceVersion: '7', generation: 1, creationTimestamp: '2026-11-01T00:00:00Z' };

export const token: BotToken = {
  metadata: { name: 'deploy', namespace: 'team-a', uid: tokenUID, ...born },
  spec: {
    botUserRef: { name: 'ci' },
    expiresIn: '90d',
    secret: { type: 'Opaque', data: [{ key: 'BUF_TOKEN' }] },
  },
  status: { observedGeneration: 1, revision: 3, tokenID: recordedID },
};

export const botUser: BotUser = {
  metadata: { name: 'ci', namespace: 'team-a', uid: userUID, ...born },
  spec: {
    issuerRef: { kind: 'ClusterTokenIssuer', name: 'builtin' },
    username: 'ci-bot',
    allowedNamespaces: { from: 'Same' },
  },
};

export const issuer: IssuerOf<'jwt'> = {
  metadata: { name: 'builtin', uid: 'a1', ...born },
  spec: {
    jwt: {
      issuerURL,
      audiences: ['https://buf.example.com'],
      algorithm: 'ES256',
      keyRotation: '90d',
      keyActivationDelay: '20m',
    },
    allowedNamespaces: { from: 'All' },
    limits: {},
  },
};

/** An issuer whose status publishes these keys. */
export function publishing(keys: readonly PublicJWK[], of: IssuerOf<'jwt'> = issuer): IssuerOf<'jwt'> {
  const listed = keys.map(publicJWK => ({
    kid: publicJWK.kid,
    publicJWK: { ...publicJWK },
    state: 'Active' as const,
    since: '2026-11-01T00:00:00Z',
    secretName: 'any',
  }));
  return { ...of, status: { ...of.status, keys: listed } };
}

/** The metadata of a Secret of this BotToken, or of another one, that names a token id. */
export function naming(tokenID: string, ownerUID: string = tokenUID): SecretMetadata {
  return { metadata: { annotations: { [ownerUIDAnnotation]: ownerUID, [tokenIDAnnotation]: tokenID } } };
}

/** The same object on its way out. */
export function deleting<T extends { metadata: object }>(object: T): T {
  return { ...object, metadata: { ...object.metadata, deletionTimestamp: later(-1) } };
}
