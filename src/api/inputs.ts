import * as z from 'zod';
import { parsedJSON } from '../base/json.ts';
import { lifetime } from './durations.ts';

/**
 * What a credential was made from. It is written with the credential, in one annotation of the Secret, and copied from
 * there into `status.issued.inputs`; a credential is compared with the spec by these fields and by nothing else.
 *
 * Rules for every later version: a field may be added, and an older record that lacks it never triggers an issue; a
 * field never changes its meaning; anything else is a new `format`, which older versions leave alone.
 */
export const Inputs = z.looseObject({
  format: z.literal(1),
  username: z.string(),
  issuer: z.looseObject({ kind: z.string(), name: z.string(), uid: z.string() }),
  botUser: z.looseObject({ namespace: z.string(), name: z.string(), uid: z.string() }),
  expiresIn: lifetime(),
  /** RFC 3339, whole seconds, as everywhere in Kubernetes. */
  issuedAt: z.string(),
  /** Left out for a credential that never ends. */
  expiresAt: z.string().optional(),
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
  /** The BotUser's end at that time, where it had one. */
  notAfter: z.string().optional(),
  /** The values of the annotations that this issue has served. */
  handled: z.looseObject({ rotate: z.string().optional(), replace: z.string().optional() }).optional(),
  /** How many seconds the credential before this one lives on from the record; left out: to its own end. */
  overlapSeconds: z.number().optional(),
  /** Whether everything older ends with it, also what was promised a longer overlap. Left out: where there is no overlap. */
  replaces: z.boolean().optional(),
  /** How the Secret was rendered: needed to read the credential back out of it, and to take away what the template no longer has. */
  secret: z.looseObject({
    data: z.array(
      z.looseObject({ key: z.string(), template: z.string().optional(), format: z.literal('JSON').optional() }),
    ),
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()),
  }),
  /** HMAC-SHA-256 of the Secret's data under the operator's key: shows an edit without keeping the values. */
  digest: z.string(),
});
export type Inputs = z.infer<typeof Inputs>;

/** What a frozen record was found to be: the caches hold such, and every look at a token asks for its record. */
const known = new WeakMap<object, { inputs: Inputs | undefined }>();

/** The inputs in an annotation or a record, or undefined when they are in no form that this version knows. */
export function parseInputs(value: unknown): Inputs | undefined {
  if (typeof value !== 'object' || value === null || !Object.isFrozen(value)) return Inputs.safeParse(value).data;
  const found = known.get(value) ?? { inputs: Inputs.safeParse(value).data };
  known.set(value, found);
  return found.inputs;
}

/** The same for the text of an annotation. */
export function parseInputsText(text: string | undefined): Inputs | undefined {
  return parseInputs(parsedJSON(text));
}
