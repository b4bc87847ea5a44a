/**
 * Conditions by the rules of kstatus: Ready sums up; Reconciling=True means that botmint goes on by itself; Stalled=True
 * means that only a change can help. The last two are never True together. All three are always present.
 */
export interface Condition {
  type: ConditionType;
  status: 'True' | 'False' | 'Unknown';
  reason: Reason;
  message: string;
  lastTransitionTime: string;
  observedGeneration: number;
}

/** A condition as it is read: another version may have written it, in words that this one does not know. */
export type RecordedCondition = Omit<Condition, 'type' | 'reason'> & { type: string; reason: string };

export type ConditionType = 'Ready' | 'Reconciling' | 'Stalled';

/** The closed list of reasons; conditions, events and metrics use the same words. Each says when it holds and what helps. */
export const reasons = {
  Issued: 'The credential is in the Secret.',
  Available: 'The bot user can be used by BotTokens.',
  KeysPublished: 'The signing keys are made and published.',
  Revoked: '`revoked: true` has been carried out; the Secret is gone. This is final.',
  Expired: 'The credential is past its end and has no rotation. Set `rotation: {}`, or make a new BotToken.',
  BotUserNotFound: 'The BotUser that is referred to does not exist (any more). Create it; the token goes on by itself.',
  BotUserNotReady: 'The BotUser exists but cannot be used; the message repeats why. Fix the BotUser.',
  BotUserDeleted: 'The BotUser is being deleted: its tokens are revoked.',
  IssuerNotFound: 'The issuer that is referred to does not exist. Create it; everything goes on by itself.',
  IssuerNotReady: 'The issuer has no published signing key yet, or is stalled; the message repeats why.',
  IssuerDeleted: 'The issuer is being deleted: it issues nothing more.',
  NamespaceNotAllowed:
    "The issuer's `allowedNamespaces` does not allow the BotUser's namespace. Ask the owner of the issuer, or use another.",
  ExceedsIssuerLimit: 'A field wishes for more than the issuer allows; the message names field, wish and ceiling.',
  UsernameTaken:
    'An older BotUser of this namespace and issuer has the username. Make the BotUser anew with another one.',
  SecretNotOwned:
    'A Secret of that name exists and is not from botmint; it is not touched. Remove it, or make the object anew with another `secret.name`.',
  SecretInUse:
    'Another object writes to the Secret of that name; the message names it. Delete it, or make this object anew with another `secret.name`.',
  TooManyPrevious: 'Eight superseded credentials are still alive; the next issue waits until one has ended.',
  WriteRefused:
    'The API server refused a write (quota, admission policy, terminating namespace); the message has its words.',
  UnknownFormat: 'The recorded state is in a form that this version does not know. Use the version that wrote it.',
  IssuerURLTaken: 'An older issuer has this `issuerURL`. Delete one of the two.',
  SigningKeyInvalid:
    'The Secret of the signing key does not hold the key that is published. Restore it, or delete it: the next key takes over.',
  TooManyKeys:
    'The issuer has as many keys as it can publish, and recorded credentials name each retired one. Renew or delete the oldest BotTokens; a key is made as soon as one can go.',
  InUse: 'The issuer is being deleted and waits for the credentials that depend on it.',
} as const satisfies Record<string, string>;
export type Reason = keyof typeof reasons;

/** What a kind's conditions say, before the times are put in. */
export type Verdict =
  | { state: 'ready'; reason: Reason; message: string }
  | { state: 'reconciling'; reason: Reason; message: string }
  | { state: 'stalled'; reason: Reason; message: string };

const statuses = {
  ready: { Ready: 'True', Reconciling: 'False', Stalled: 'False' },
  reconciling: { Ready: 'False', Reconciling: 'True', Stalled: 'False' },
  stalled: { Ready: 'False', Reconciling: 'False', Stalled: 'True' },
} as const;

/**
 * The conditions that express a verdict. `lastTransitionTime` moves only when the status does, so an unchanged verdict
 * gives conditions equal to the old ones and nothing needs to be written.
 */
export function conditionsOf(
  verdict: Verdict,
  old: readonly RecordedCondition[] | undefined,
  generation: number,
  now: Date,
): Condition[] {
  return (['Ready', 'Reconciling', 'Stalled'] as const).map(type => {
    const status = statuses[verdict.state][type];
    const before = old?.find(condition => condition.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : timestamp(now);
    const { reason, message } = verdict;
    return { type, status, reason, message, lastTransitionTime, observedGeneration: generation };
  });
}

/** A time as Kubernetes writes it: RFC 3339, UTC, whole seconds. */
export function timestamp(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
