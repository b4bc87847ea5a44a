import * as z from 'zod';
import {
  credentialStatus,
  previousFields,
  restartOf,
  rotationOf,
  rotationRules,
  secretNameRule,
} from './credentialed.ts';
import { celIsDuration, celSeconds, lifetime } from './durations.ts';
import { audience, dnsLabel, objectName, scope } from './forms.ts';
import { ageColumn, createdByColumn, defineKind, readyColumns } from './kind.ts';
import { objectFields, statusFields, unseen } from './object.ts';
import { guarded, immutable, setOf, text, time } from './schema.ts';
import { SecretTemplate } from './secret-template.ts';

const botUserRef = immutable(
  z.object({
    name: text({ max: 253, form: objectName }).describe('The name of the BotUser.'),
    namespace: text({ max: 63, form: dnsLabel })
      .exactOptional()
      .describe(
        "The namespace of the BotUser, whose `allowedNamespaces` must let this object's namespace in. Left out: the namespace of this object.",
      ),
  }),
  'botUserRef',
).describe('The BotUser that the token speaks for. It may be made later: the token waits. Immutable.');

const rotation = rotationOf(
  'token',
  'to its own end after a renewal, one hour after a change, a rotation that was asked for, or a loss.',
);

const spec = guarded(
  z.object({
    botUserRef,
    label: z
      .string()
      .max(200)
      .exactOptional()
      .describe('Where the token is used, such as `CI on the main branch`. For people only.'),
    expiresIn: lifetime().describe(
      'How long each token lives, from its issue: a whole number and one unit (`s`, `m`, `h`, `d`, or `mo` for 30 days), such as `90d`; or `never`. A change is served by a new token.',
    ),
    audiences: setOf(text({ max: 512, form: audience }).describe('One audience, such as `https://api.example.com`.'), {
      min: 1,
      max: 16,
    })
      .exactOptional()
      .describe(
        "Who accepts the token (the claim `aud`). The issuer's `audiences` must have each. Left out: the first audience of the issuer.",
      ),
    scopes: setOf(text({ max: 253, form: scope }).describe('One scope, such as `orders:read`.'), { max: 64 })
      .exactOptional()
      .describe(
        "What the token may do (the claim `scope`). The issuer's `limits.scopes` must allow each. Left out: no scope.",
      ),
    revoked: z
      .boolean()
      .exactOptional()
      .describe('`true` revokes the token and deletes its Secret. Final: make a new BotToken to have a token again.'),
    rotation: rotation.exactOptional(),
    secret: SecretTemplate,
    restart: restartOf('token').exactOptional(),
  }),
  ...rotationRules('token'),
  {
    rule: `!has(self.rotation) || !${celIsDuration('self.expiresIn')} || ${celSeconds('self.expiresIn')} >= 600`,
    message: 'with rotation, expiresIn must be at least 10m',
    fieldPath: '.expiresIn',
  },
  {
    rule: '!has(oldSelf.revoked) || !oldSelf.revoked || (has(self.revoked) && self.revoked)',
    message: 'a revoked token stays revoked: make a new BotToken',
    fieldPath: '.revoked',
  },
).describe('What the token is and where it goes.');

const previous = z
  .object({
    ...previousFields('token'),
    statusListIndex: z
      .int()
      .min(0)
      .exactOptional()
      .describe("Where its status is in the issuer's lists. Absent: it is in none."),
  })
  .describe('A token that was superseded and still works.');

const status = z
  .object({
    ...statusFields,
    ...credentialStatus('token', {
      tokenID: 'The id of the token in the Secret (the claim `jti`). No secret.',
      previous,
    }),
    revokedAt: time().exactOptional().describe('When `revoked: true` was carried out.'),
  })
  .describe('What botmint has seen and done. Only botmint writes it.');

/** A credential of a BotUser, and the Secret it is written to. */
export const BotToken = guarded(
  z.object({ ...objectFields, spec, status: status.meta(unseen).exactOptional() }),
  secretNameRule('BotToken'),
).describe(
  'A token of a BotUser: issued once, written into one Secret, renewed and revoked from then on. Deleting it revokes the token.',
);
export type BotToken = z.infer<typeof BotToken>;

export const botTokenKind = defineKind<BotToken>({
  kind: 'BotToken',
  plural: 'bottokens',
  namespaced: true,
  shortNames: ['bt'],
  columns: [
    { name: 'Bot', type: 'string', jsonPath: '.spec.botUserRef.name' },
    ...readyColumns,
    { name: 'Expires', type: 'string', jsonPath: '.status.expiresAt' },
    { name: 'Label', type: 'string', jsonPath: '.spec.label' },
    { name: 'Token ID', type: 'string', jsonPath: '.status.tokenID', wide: true },
    createdByColumn,
    ageColumn,
  ],
  selectableFields: ['.spec.botUserRef.name', '.status.tokenID'],
  schema: BotToken,
});
