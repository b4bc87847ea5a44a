import * as z from 'zod';
import { parsedJSON } from '../base/json.ts';
import { lifetime } from './durations.ts';
import { time } from './schema.ts';
import { formats } from './secret-template.ts';

/** What every credential was made from, whatever kind asked for it. */
const common = {
  format: z.literal(1),
  /** Whom the credential speaks for, in its issuer's words: the bot's username, a robot's full name. */
  username: z.string(),
  issuer: z.looseObject({ kind: z.string(), name: z.string(), uid: z.string() }),
  expiresIn: lifetime(),
  /** RFC 3339, whole seconds, as everywhere in Kubernetes. */
  issuedAt: time(),
  /** Left out for a credential that never ends. */
  expiresAt: time().optional(),
  /** The absolute end at that time (the BotUser's, the robot's), where there was one. */
  notAfter: time().optional(),
  /** The values of the annotations that this issue has served. */
  handled: z.looseObject({ rotate: z.string().optional(), replace: z.string().optional() }).optional(),
  /** How many seconds the credential before this one lives on from the record; left out: to its own end. */
  overlapSeconds: z.number().optional(),
  /** Whether everything older ends with it, also what was promised a longer overlap. Left out: where there is no overlap. */
  replaces: z.boolean().optional(),
  /** How the Secret was rendered: needed to read the credential back out of it, and to take away what the template no longer has. */
  secret: z.looseObject({
    data: z.array(
      z.looseObject({
        key: z.string(),
        template: z.string().optional(),
        format: z.enum(formats).optional(),
      }),
    ),
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()),
  }),
  /** HMAC-SHA-256 of the Secret's data under the operator's key: shows an edit without keeping the values. */
  digest: z.string(),
};

/** The same of a token. */
export const TokenInputs = z.looseObject({
  ...common,
  botUser: z.looseObject({ namespace: z.string(), name: z.string(), uid: z.string() }),
  audiences: z.array(z.string()),
  /** The token named no audience and took the issuer's first: a later change of that default is no reason to issue. */
  audiencesDefaulted: z.boolean().optional(),
  scopes: z.array(z.string()),
  identities: z.array(z.looseObject({ service: z.string(), id: z.string() })),
  keyID: z.string(),
  /** Where its status is in the issuer's lists: the list's number and the index in it, in one. */
  statusListIndex: z.number().int().min(0).optional(),
  /** HMAC under the operator's key: shows that this index was given to this credential, and not written in by hand. */
  statusListTag: z.string().optional(),
  /** By this the two are told apart. */
  robot: z.undefined().optional(),
});
export type TokenInputs = z.infer<typeof TokenInputs>;

/** The same of a robot's secret. Its permissions are none of them: they are changed without a new secret. */
export const RobotInputs = z.looseObject({
  ...common,
  /** The host of the registry, as it stands in the Secret. */
  host: z.string(),
  robot: z.looseObject({
    /** The robot's number at its issuer. */
    id: z.number().int().min(0),
    /** When the robot was made there: the issue of its first secret. A record that does not say so is of one of that time. */
    createdAt: time().optional(),
    /** Where a secret of one's own was read, and at which version; left out: it was generated. */
    source: z
      .looseObject({ name: z.string(), key: z.string(), uid: z.string(), resourceVersion: z.string() })
      .optional(),
    /** What the token server checks the secret by: a keyed hash, which is worth nothing without the operator's key. */
    verifier: z.string(),
    /** The number of the key that it was made with, for people: nothing is decided by it. */
    verifierKey: z.number().int().min(1).optional(),
  }),
  botUser: z.undefined().optional(),
  statusListIndex: z.undefined().optional(),
});
export type RobotInputs = z.infer<typeof RobotInputs>;

/**
 * What a credential was made from. It is written with the credential, in one annotation of the Secret, and copied from
 * there into `status.issued.inputs`; a credential is compared with the spec by these fields and by nothing else.
 *
 * Rules for every later version: a field may be added, and an older record that lacks it never triggers an issue; a
 * field never changes its meaning; anything else is a new `format`, which older versions leave alone.
 */
export type Inputs = TokenInputs | RobotInputs;

function parsed(value: unknown): Inputs | undefined {
  const isRobot = typeof value === 'object' && value !== null && 'robot' in value;
  return isRobot ? RobotInputs.safeParse(value).data : TokenInputs.safeParse(value).data;
}

/** What a frozen record was found to be: the caches hold such, and every look at a token asks for its record. */
const known = new WeakMap<object, { inputs: Inputs | undefined }>();

/** The inputs in an annotation or a record, or undefined when they are in no form that this version knows. */
export function parseInputs(value: unknown): Inputs | undefined {
  if (typeof value !== 'object' || value === null || !Object.isFrozen(value)) return parsed(value);
  const found = known.get(value) ?? { inputs: parsed(value) };
  known.set(value, found);
  return found.inputs;
}

/** The same for the text of an annotation. */
export function parseInputsText(text: string | undefined): Inputs | undefined {
  return parseInputs(parsedJSON(text));
}
