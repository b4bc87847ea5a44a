import * as z from 'zod';
import { celIsDuration, celSeconds, duration, durationOrNone } from './durations.ts';
import { type objectFields, retry, statusFields } from './object.ts';
import { restart, rollout } from './restart.ts';
import { mapBy, opaque, type Rule, time } from './schema.ts';
import type { SecretTemplate } from './secret-template.ts';

// What all kinds share that get a credential, have it written into a Secret and rotated from then on.

/** The word of a kind for its credential: what a BotToken has is a token, what a RobotAccount has is a secret. */
export type Noun = 'token' | 'secret';

/** `spec.rotation`. How long an overlap is that is left out is the kind's to say. */
export function rotationOf(noun: Noun, overlapLeftOut: string) {
  return z
    .object({
      renewBefore: duration()
        .exactOptional()
        .describe(
          `How long before its end the ${noun} is renewed, such as \`10d\`; at most half of \`expiresIn\`. Left out: a third of \`expiresIn\`.`,
        ),
      overlap: durationOrNone()
        .exactOptional()
        .describe(
          `How long the old ${noun} still works beside a new one, such as \`2d\`; at most \`expiresIn\`, and never beyond its own end. \`0s\`: it ends as soon as the new one is in the Secret. Left out: ${overlapLeftOut}`,
        ),
    })
    .describe(
      `Renews the ${noun} in time: the Secret is rewritten in place, and the old ${noun} works on for the \`overlap\`. \`rotation: {}\` is complete. Left out: the ${noun} ends, and the Secret stays as it is.`,
    );
}

/** What a rotation and a life must have to do with one another: rules of a spec. */
export function rotationRules(noun: Noun): Rule[] {
  const [life, renewBefore, overlap] = ['self.expiresIn', 'self.rotation.renewBefore', 'self.rotation.overlap'];
  return [
    {
      rule: "!has(self.rotation) || self.expiresIn != 'never'",
      message: `a ${noun} that never expires cannot be rotated: give expiresIn an end, or leave rotation out`,
      fieldPath: '.rotation',
    },
    {
      rule: `!has(self.rotation) || !has(${renewBefore}) || !${celIsDuration(life)} || !${celIsDuration(renewBefore)} || 2 * ${celSeconds(renewBefore)} <= ${celSeconds(life)}`,
      message: 'rotation.renewBefore may be at most half of expiresIn',
      fieldPath: '.rotation.renewBefore',
    },
    {
      rule: `!has(self.rotation) || !has(${overlap}) || !${celIsDuration(life)} || !${celIsDuration(overlap)} || ${celSeconds(overlap)} <= ${celSeconds(life)}`,
      message: `rotation.overlap may be at most expiresIn: no ${noun} outlives its own end`,
      fieldPath: '.rotation.overlap',
    },
  ];
}

/** `spec.restart`. */
export function restartOf(noun: Noun) {
  return restart.describe(
    `Workloads of this namespace that are rolled after each rotation, because they read the Secret only when they start. The old ${noun} is not revoked before they have finished, or one hour after its overlap. Left out: none.`,
  );
}

/** CEL for the effective name of an object's Secret. */
export function celSecretName(object: string): string {
  return `(has(${object}.spec.secret.name) ? ${object}.spec.secret.name : ${object}.metadata.name)`;
}

/** The name of the Secret never changes: a rule of an object. */
export function secretNameRule(kind: string): Rule {
  return {
    rule: `${celSecretName('self')} == ${celSecretName('oldSelf')}`,
    message: `the name of the Secret (spec.secret.name, or the name of the object) is immutable: make a new ${kind}`,
    fieldPath: '.spec.secret.name',
  };
}

/** The fields of an entry of `status.previous`, of every kind. */
export function previousFields(noun: Noun) {
  return {
    tokenID: z.string().max(253).describe(`The id of the superseded ${noun}.`),
    revokeAt: time().describe('Until when it works.'),
    overlapEndsAt: time()
      .exactOptional()
      .describe(
        'When its overlap is over. Present while workloads of `spec.restart` are still rolling: it works until they have finished, and until `revokeAt` at the latest.',
      ),
    expiresAt: time().exactOptional().describe('When it ends by itself. Absent: never, or nobody knows.'),
  };
}

/** So many superseded credentials at most are alive; the next issue waits. */
export const mostPrevious = 8;

const recordedSecret = z.object({
  name: z.string().max(253).describe('Its name.'),
  uid: z.string().max(64).describe('Its UID: a Secret of that name with another UID is another one.'),
  resourceVersion: z.string().max(64).exactOptional().describe('The version that was last read or written.'),
});

function issued(noun: Noun) {
  return z
    .object({
      inputs: opaque().describe(
        `What the ${noun} was made from. A credential is compared with the spec by this and nothing else.`,
      ),
      secret: recordedSecret.describe(`The Secret that the ${noun} was written to.`),
    })
    .describe('The record of the last issue. It is how botmint knows, after a restart, that there is nothing to do.');
}

/** The fields of a status that tell of its credential. `tokenID` says what the id is at the issuer. */
export function credentialStatus<Previous extends z.ZodType>(
  noun: Noun,
  says: { tokenID: string; previous: Previous },
) {
  return {
    tokenID: z.string().max(253).exactOptional().describe(says.tokenID),
    issuedAt: time().exactOptional().describe(`When the ${noun} was issued.`),
    expiresAt: time().exactOptional().describe('When it ends. Absent: never.'),
    renewAt: time().exactOptional().describe('When it will be renewed. Absent: it will not.'),
    revision: z.int().exactOptional().describe(`Counts the ${noun}s of this object. Numbers may be left out.`),
    secretName: z.string().max(253).exactOptional().describe(`The Secret that holds the ${noun}.`),
    previous: mapBy('tokenID', says.previous, { max: mostPrevious })
      .exactOptional()
      .describe(`Superseded ${noun}s that still work.`),
    issuerUID: z
      .string()
      .max(64)
      .exactOptional()
      .describe(
        `The UID of the issuer of the ${noun} that was lost. Present while none is recorded: at another issuer, even of the same name, what is left of it is worth nothing.`,
      ),
    issued: issued(noun).exactOptional(),
    rollout: rollout.exactOptional(),
    retry: retry.exactOptional(),
  };
}

const status = z.object({
  ...statusFields,
  ...credentialStatus('token', { tokenID: '', previous: z.object(previousFields('token')) }),
});
type Metadata = z.infer<typeof objectFields.metadata>;
type Status = z.infer<typeof status>;

/** A superseded credential; what only some kinds record of it is left out by the others. */
export type Superseded = NonNullable<Status['previous']>[number] & {
  /** Where its status is in the lists of an issuer that publishes such. */
  statusListIndex?: number;
  /** What a secret is checked by, where botmint itself checks it, and the revision that this was made for. */
  verifier?: string;
  revision?: number;
};

/**
 * An object that gets a credential: what is decided about its Secret, its rotation and its end is decided on this and
 * nothing else, whatever its kind. Every such kind is one (a test holds them to it).
 */
export interface Credentialed {
  apiVersion?: string;
  kind?: string;
  metadata: Metadata;
  spec: {
    expiresIn: string;
    rotation?: z.infer<ReturnType<typeof rotationOf>>;
    restart?: z.infer<typeof restart>;
    secret: SecretTemplate;
    /** Final, where a kind knows it. */
    revoked?: boolean;
  };
  status?: Omit<Status, 'previous'> & {
    previous?: Superseded[];
    /** When `revoked` was carried out. */
    revokedAt?: string;
  };
}
