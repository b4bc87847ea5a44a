import * as z from 'zod';
import { dnsLabel, identityID, objectName, service } from './forms.ts';
import { ageColumn, createdByColumn, defineKind, readyColumns } from './kind.ts';
import { NeighborSelection } from './namespace-selection.ts';
import { objectFields, statusFields, unseen } from './object.ts';
import { celMatches, guarded, immutable, mapBy, text, time } from './schema.ts';

const issuerRef = immutable(
  z.object({
    kind: z.enum(['ClusterTokenIssuer']).describe('The kind of the issuer.'),
    name: text({ max: 253, form: objectName }).describe('The name of the issuer.'),
  }),
  'issuerRef',
).describe(
  'Who issues the tokens of this bot. Immutable. Left out: the ClusterTokenIssuer `builtin`, which comes with botmint and whose tokens are JWTs.',
);

const identity = z
  .object({
    service: text({ max: 63, form: service }).describe('The other system, such as `github`. Each may appear once.'),
    id: text({ max: 253, form: identityID }).describe('Who the bot is over there, such as `acme-ci`.'),
  })
  .describe('The bot in one other system.');

const spec = z.object({
  issuerRef: issuerRef.default({ kind: 'ClusterTokenIssuer', name: 'builtin' }),
  username: text({ max: 63, form: dnsLabel })
    .exactOptional()
    .describe(
      'The name of the bot at its issuer, unique there within the namespace; a JWT carries it as `bot:<namespace>:<username>`. Immutable. Left out: the name of the object.',
    ),
  description: z
    .string()
    .max(350)
    .exactOptional()
    .describe('What the bot is for and whom to ask about it. For people only.'),
  disabled: z
    .boolean()
    .exactOptional()
    .describe(
      '`true`: no token of this bot works and none is issued, until it is `false` again; then the same tokens work again.',
    ),
  notAfter: time()
    .exactOptional()
    .describe(
      'The end of this bot, such as `2027-06-30T00:00:00Z`: no token of it lives longer, whatever its `expiresIn`. An absolute time, so that making the object anew gives no new life.',
    ),
  allowedNamespaces: NeighborSelection.default({ from: 'Same' }),
  identities: mapBy('service', identity, { max: 32 })
    .exactOptional()
    .describe(
      "Who the bot is in other systems. They become claims of its JWTs; the issuer's `limits.identities` must allow each. One that is added comes with a new token, one that is removed replaces the tokens.",
    ),
});

const status = z
  .object({
    ...statusFields,
    username: z
      .string()
      .max(63)
      .exactOptional()
      .describe('The username in force: `spec.username`, or the name of the object.'),
    activeTokens: z
      .int()
      .exactOptional()
      .describe('How many BotTokens of this bot have a credential that works. May lag a little.'),
  })
  .describe('What botmint has seen and done. Only botmint writes it.');

const username = (object: string) =>
  `(has(${object}.spec.username) ? ${object}.spec.username : ${object}.metadata.name)`;

/** A bot: who the tokens speak for. */
export const BotUser = guarded(
  z.object({
    ...objectFields,
    spec: spec.prefault({}).describe('What the bot is.'),
    status: status.meta(unseen).exactOptional(),
  }),
  {
    rule: `${username('self')} == ${username('oldSelf')}`,
    message: 'the username (spec.username, or the name of the object) is immutable: make a new BotUser',
    fieldPath: '.spec.username',
  },
  // A rule at the root is asked at every write, even of the status or a finalizer alone (tried): what it is about must
  // never be a field that an older CRD prunes. Rules below the root are left out for what did not change.
  {
    rule: `has(self.spec.username) || self.metadata.name.size() <= 63 && ${celMatches('self.metadata.name', dnsLabel.pattern)}`,
    message:
      'the name of the object cannot be a username (at most 63 lower-case letters, digits and hyphens): set spec.username',
    fieldPath: '.spec.username',
  },
).describe(
  'A bot: an identity at an issuer that machines act as. BotTokens are its credentials. Deleting it revokes all of them first.',
);
export type BotUser = z.infer<typeof BotUser>;

export const botUserKind = defineKind<BotUser>({
  kind: 'BotUser',
  plural: 'botusers',
  namespaced: true,
  shortNames: ['bot', 'bots'],
  columns: [
    { name: 'Username', type: 'string', jsonPath: '.status.username', wide: true },
    { name: 'Issuer', type: 'string', jsonPath: '.spec.issuerRef.name' },
    { name: 'Tokens', type: 'integer', jsonPath: '.status.activeTokens' },
    ...readyColumns,
    createdByColumn,
    ageColumn,
  ],
  selectableFields: ['.spec.issuerRef.name'],
  schema: BotUser,
});
