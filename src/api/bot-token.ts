import * as z from 'zod';
import { celIsDuration, celSeconds, duration, durationOrNone, lifetime } from './durations.ts';
import { audience, dnsLabel, objectName, scope } from './forms.ts';
import { ageColumn, createdByColumn, defineKind, readyColumns } from './kind.ts';
import { objectFields, retry, statusFields, unseen } from './object.ts';
import { restart, rollout } from './restart.ts';
import { guarded, immutable, mapBy, opaque, setOf, text, time } from './schema.ts';
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

const rotation = z
  .object({
    renewBefore: duration()
      .exactOptional()
      .describe(
        'How long before its end the token is renewed, such as `10d`; at most half of `expiresIn`. Left out: a third of `expiresIn`.',
      ),
    overlap: durationOrNone()
      .exactOptional()
      .describe(
        'How long the old token still works beside a new one, such as `2d`; at most `expiresIn`, and never beyond its own end. `0s`: it ends as soon as the new one is in the Secret. Left out: to its own end after a renewal, one hour after a change, a rotation that was asked for, or a loss.',
      ),
  })
  .describe(
    'Renews the token in time: the Secret is rewritten in place, and the old token works on for the `overlap`. `rotation: {}` is complete. Left out: the token ends, and the Secret stays as it is.',
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
    restart: restart
      .exactOptional()
      .describe(
        'Workloads of this namespace that are rolled after each rotation, because they read the Secret only when they start. The old token is not revoked before they have finished, or one hour after its overlap. Left out: none.',
      ),
  }),
  {
    rule: "!has(self.rotation) || self.expiresIn != 'never'",
    message: 'a token that never expires cannot be rotated: give expiresIn an end, or leave rotation out',
    fieldPath: '.rotation',
  },
  {
    rule: `!has(self.rotation) || !${celIsDuration('self.expiresIn')} || ${celSeconds('self.expiresIn')} >= 600`,
    message: 'with rotation, expiresIn must be at least 10m',
    fieldPath: '.expiresIn',
  },
  {
    rule: `!has(self.rotation) || !has(self.rotation.renewBefore) || !${celIsDuration('self.expiresIn')} || !${celIsDuration('self.rotation.renewBefore')} || 2 * ${celSeconds('self.rotation.renewBefore')} <= ${celSeconds('self.expiresIn')}`,
    message: 'rotation.renewBefore may be at most half of expiresIn',
    fieldPath: '.rotation.renewBefore',
  },
  {
    rule: `!has(self.rotation) || !has(self.rotation.overlap) || !${celIsDuration('self.expiresIn')} || !${celIsDuration('self.rotation.overlap')} || ${celSeconds('self.rotation.overlap')} <= ${celSeconds('self.expiresIn')}`,
    message: 'rotation.overlap may be at most expiresIn: no token outlives its own end',
    fieldPath: '.rotation.overlap',
  },
  {
    rule: '!has(oldSelf.revoked) || !oldSelf.revoked || (has(self.revoked) && self.revoked)',
    message: 'a revoked token stays revoked: make a new BotToken',
    fieldPath: '.revoked',
  },
).describe('What the token is and where it goes.');

const previous = z
  .object({
    tokenID: z.string().max(253).describe('The id of the superseded token.'),
    revokeAt: time().describe('Until when it works.'),
    overlapEndsAt: time()
      .exactOptional()
      .describe(
        'When its overlap is over. Present while workloads of `spec.restart` are still rolling: it works until they have finished, and until `revokeAt` at the latest.',
      ),
    expiresAt: time().exactOptional().describe('When it ends by itself. Absent: never, or nobody knows.'),
    statusListIndex: z
      .int()
      .min(0)
      .exactOptional()
      .describe("Where its status is in the issuer's lists. Absent: it is in none."),
  })
  .describe('A token that was superseded and still works.');

const issued = z
  .object({
    inputs: opaque().describe(
      'What the token was made from. A credential is compared with the spec by this and nothing else.',
    ),
    secret: z
      .object({
        name: z.string().max(253).describe('Its name.'),
        uid: z.string().max(64).describe('Its UID: a Secret of that name with another UID is another one.'),
        resourceVersion: z.string().max(64).exactOptional().describe('The version that was last read or written.'),
      })
      .describe('The Secret that the token was written to.'),
  })
  .describe('The record of the last issue. It is how botmint knows, after a restart, that there is nothing to do.');

const status = z
  .object({
    ...statusFields,
    tokenID: z
      .string()
      .max(253)
      .exactOptional()
      .describe('The id of the token in the Secret (the claim `jti`). No secret.'),
    issuedAt: time().exactOptional().describe('When the token was issued.'),
    expiresAt: time().exactOptional().describe('When it ends. Absent: never.'),
    renewAt: time().exactOptional().describe('When it will be renewed. Absent: it will not.'),
    revision: z.int().exactOptional().describe('Counts the tokens of this object. Numbers may be left out.'),
    secretName: z.string().max(253).exactOptional().describe('The Secret that holds the token.'),
    previous: mapBy('tokenID', previous, { max: 8 }).exactOptional().describe('Superseded tokens that still work.'),
    issued: issued.exactOptional(),
    rollout: rollout.exactOptional(),
    revokedAt: time().exactOptional().describe('When `revoked: true` was carried out.'),
    retry: retry.exactOptional(),
  })
  .describe('What botmint has seen and done. Only botmint writes it.');

const secretName = (object: string) =>
  `(has(${object}.spec.secret.name) ? ${object}.spec.secret.name : ${object}.metadata.name)`;

/** A credential of a BotUser, and the Secret it is written to. */
export const BotToken = guarded(z.object({ ...objectFields, spec, status: status.meta(unseen).exactOptional() }), {
  rule: `${secretName('self')} == ${secretName('oldSelf')}`,
  message: 'the name of the Secret (spec.secret.name, or the name of the object) is immutable: make a new BotToken',
  fieldPath: '.spec.secret.name',
}).describe(
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
