/**
 * Conditions by the rules of kstatus: Ready sums up; Reconciling=True means that botmint goes on by itself; Stalled=True
 * means that only a change can help. The last two are never True together. These three are always present, Paused only
 * while it is True.
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

export type ConditionType = 'Ready' | 'Reconciling' | 'Stalled' | 'Paused';

/** What a verdict says of an object; each is one row of the three conditions. */
export type State = 'ready' | 'reconciling' | 'stalled';

type Kind = 'BotUser' | 'BotToken' | 'RobotAccount' | 'ClusterTokenIssuer' | 'Revocation';

/** When a reason holds, what a person does about it, and where it is seen. What stalls has a remedy: only a change can help. */
export type Meaning = {
  cause: string;
  on: { readonly [kind in Kind]?: readonly State[] };
  /** Left out where there is nothing to be done. */
  remedy?: string;
};

/** The closed list of reasons; conditions, events and metrics use the same words. docs/reference/conditions.md is made from it. */
export const reasons = {
  Issued: { cause: 'The credential is in the Secret.', on: { BotToken: ['ready'], RobotAccount: ['ready'] } },
  Paused: {
    cause: 'The annotation `botmint.dev/paused: "true"` stops everything but the end of credentials.',
    remedy: 'Take the annotation off to go on.',
    on: { BotToken: ['reconciling'], RobotAccount: ['reconciling'] },
  },
  Disabled: {
    cause: '`disabled: true` is in force: no token of the bot works and none is issued, and the robot cannot log in.',
    remedy: 'Set `disabled: false`, and the same tokens work again, and the same secret.',
    on: { BotUser: ['ready'], RobotAccount: ['ready'] },
  },
  BotUserDisabled: {
    cause: 'The BotUser is disabled: the token does not work until it is enabled.',
    remedy: 'Set `disabled: false` on the BotUser, and the same token works again.',
    on: { BotToken: ['stalled'] },
  },
  SecretLost: {
    cause:
      'The Secret was deleted, or holds an older credential, and `secret.onLost` is Stall. The lost credential works to its own end.',
    remedy:
      'Restore the Secret, set `secret.onLost: Reissue`, or ask for a new credential: annotate the object with `botmint.dev/rotate`, or `botmint.dev/replace` if the old one must end.',
    on: { BotToken: ['stalled'], RobotAccount: ['stalled'] },
  },
  SecretEdited: {
    cause: 'The data of the Secret was edited, and `secret.onLost` is Stall. The credential works to its own end.',
    remedy:
      'Restore the Secret, set `secret.onLost: Reissue`, or ask for a new credential: annotate the object with `botmint.dev/rotate`, or `botmint.dev/replace` if the old one must end.',
    on: { BotToken: ['stalled'], RobotAccount: ['stalled'] },
  },
  ExpiresSoon: {
    cause: 'Two thirds of the life of the credential are over, and nothing renews it.',
    remedy:
      'Set `rotation: {}`, or make a new BotToken in time, or give the RobotAccount a longer `expiresIn`; where a `notAfter` ends it, move that.',
    on: { BotToken: ['ready'], RobotAccount: ['ready'] },
  },
  Available: { cause: 'The bot user can be used by BotTokens.', on: { BotUser: ['ready'] } },
  KeysPublished: { cause: 'The signing keys are made and published.', on: { ClusterTokenIssuer: ['ready'] } },
  BundleChanged: {
    cause:
      'The issuer of type `registry` has a new CA, which stands in `status.rootCertBundle` beside the old one; the message says from when on it signs. Or the annotation `botmint.dev/retire-key` has taken one out, and another one signs.',
    remedy: 'Give every registry the new bundle as its `rootcertbundle`, and restart it.',
    on: { ClusterTokenIssuer: ['ready'] },
  },
  Revoked: {
    cause:
      '`revoked: true` has been carried out; the Secret is gone. This is final. A Revocation is carried out, is looked at once more, and then goes.',
    on: { BotToken: ['ready'], Revocation: ['ready'] },
  },
  Expired: {
    cause: 'The credential is past its end and has no rotation, or the BotUser or RobotAccount is past its `notAfter`.',
    remedy:
      'Set `rotation: {}`, or make a new BotToken; on a RobotAccount, set a longer `expiresIn`; on both BotUser and RobotAccount, move `notAfter`.',
    on: { BotToken: ['stalled'], BotUser: ['stalled'], RobotAccount: ['stalled'] },
  },
  BotUserNotFound: {
    cause: 'The BotUser that is referred to does not exist (any more).',
    remedy: 'Create it, or make the BotToken anew with another `botUserRef`; the token goes on by itself.',
    on: { BotToken: ['reconciling'] },
  },
  BotUserNotReady: {
    cause: 'The BotUser exists but cannot be used; the message repeats why.',
    remedy: 'Fix the BotUser; the token goes on by itself.',
    on: { BotToken: ['reconciling', 'stalled', 'ready'] },
  },
  BotUserDeleted: {
    cause: 'The BotUser is being deleted: its tokens are revoked.',
    on: { BotUser: ['reconciling'], BotToken: ['reconciling'] },
  },
  IssuerNotFound: {
    cause: 'The issuer that is referred to does not exist.',
    remedy: 'Create it; everything goes on by itself.',
    on: { BotUser: ['reconciling'], BotToken: ['reconciling'], RobotAccount: ['reconciling'] },
  },
  IssuerNotReady: {
    cause:
      'The issuer has no published signing key yet, or is stalled; the message repeats why. What is issued stays valid (Ready) as long as nothing else is asked for.',
    remedy: 'Wait a moment, or fix the issuer; the credential goes on by itself.',
    on: { BotToken: ['reconciling', 'ready'], RobotAccount: ['reconciling', 'ready'] },
  },
  IssuerDeleted: {
    cause:
      'The issuer is being deleted: it issues nothing more. What is issued stays valid (Ready) as long as nothing else is asked for.',
    remedy: 'Make the BotUser or RobotAccount anew with another `issuerRef`, or wait for an issuer of that name.',
    on: { BotUser: ['reconciling'], BotToken: ['reconciling', 'ready'], RobotAccount: ['reconciling', 'ready'] },
  },
  NamespaceNotAllowed: {
    cause:
      "The issuer's `allowedNamespaces` does not allow the namespace of the BotUser or RobotAccount. What is issued stays valid.",
    remedy: 'Ask the owner of the issuer, or use another issuer.',
    on: { BotUser: ['stalled'], BotToken: ['stalled', 'ready'], RobotAccount: ['stalled', 'ready'] },
  },
  ExceedsIssuerLimit: {
    cause:
      'A field wishes for more than the issuer allows; the message names field, wish and ceiling. Where the ceiling came later, what is issued stays valid (Ready), and the next issue is refused.',
    remedy: 'Ask for less, or have the ceiling raised by the owner of the issuer.',
    on: { BotToken: ['stalled', 'ready'], RobotAccount: ['stalled', 'ready'] },
  },
  UnsupportedByIssuer: {
    cause:
      'A field asks for what an issuer of that type cannot do; the message names field and type. It is not left aside: nothing is issued. Where the issuer came to this later, what is issued stays valid (Ready).',
    remedy: 'Take the field out, or make the object anew with an issuer that can.',
    on: { BotUser: ['stalled'], BotToken: ['stalled', 'ready'], RobotAccount: ['stalled', 'ready'] },
  },
  SourceNotFound: {
    cause:
      'The Secret of `secret.valueFrom`, or the key in it, does not exist. A robot that has a secret already keeps it (Ready).',
    remedy: 'Create it, or correct `secret.valueFrom`; the robot goes on by itself.',
    on: { RobotAccount: ['reconciling', 'ready'] },
  },
  SourceInvalid: {
    cause:
      'The own secret breaks a rule of the issuer; the message names the rule and never the value. A robot that has a secret already keeps it, and logs in with it.',
    remedy: 'Put another value into the Secret of `secret.valueFrom`; the robot goes on by itself.',
    on: { RobotAccount: ['stalled', 'ready'] },
  },
  SourceUnchanged: {
    cause:
      'The annotation `botmint.dev/replace` asks for another secret, and the Secret of `secret.valueFrom` still holds the present one, which goes on working: only its owner has another.',
    remedy:
      'Put another value into that Secret: it is in force as soon as it is noticed, and the one before ends. To end the present one at once, set `disabled: true`. If it has not leaked, take the annotation off.',
    on: { RobotAccount: ['stalled'] },
  },
  VerifierKeyMissing: {
    cause:
      'The robot is paused, and the key with which the verifier of its secret was made is no longer in the Secret `botmint-operator`: nobody can log in with the secret.',
    remedy:
      'Take the annotation `botmint.dev/paused` off: the verifier is made anew, and the same secret works. Or put the key back.',
    on: { RobotAccount: ['stalled'] },
  },
  UsernameTaken: {
    cause:
      'An older BotUser of this namespace and issuer has the username, or another RobotAccount of this issuer the full name: one that was issued already, else the oldest of those that the issuer allows.',
    remedy: 'Delete the other one, or make this one anew with another `username` (BotUser) or `name` (RobotAccount).',
    on: { BotUser: ['stalled'], RobotAccount: ['stalled'] },
  },
  SecretNotOwned: {
    cause: 'A Secret of that name exists and is not from botmint; it is not touched.',
    remedy: 'Remove it, or make the object anew with another `secret.name`.',
    on: { BotToken: ['stalled'], RobotAccount: ['stalled'] },
  },
  SecretInUse: {
    cause: 'Another object writes to the Secret of that name; the message names it.',
    remedy: 'Delete that object, or make this one anew with another `secret.name`.',
    on: { BotToken: ['stalled'], RobotAccount: ['stalled'] },
  },
  TooManyPrevious: {
    cause: 'Eight superseded credentials are still alive; the next issue waits until one has ended.',
    remedy: 'Wait: `status.previous` says until when each is alive.',
    on: { BotToken: ['ready', 'reconciling'], RobotAccount: ['ready', 'reconciling'] },
  },
  RestartFailed: {
    cause:
      'The credential was rotated, and a workload of `spec.restart` was not restarted or has not finished rolling: its pods may still use the old one. The message names the entry and the cause; `status.rollout.givesUpAt` says until when it is tried.',
    remedy:
      'Do what the message asks for: create the workload, correct `spec.restart`, let botmint patch it, or repair its roll-out.',
    on: { BotToken: ['ready'], RobotAccount: ['ready'] },
  },
  CopyFailed: {
    cause:
      'The credential is in its Secret, and a copy of it, or a ServiceAccount of `secret.copies.imagePullSecretsOf`, could not be written; the message names the namespace and the cause.',
    remedy:
      'Do what the message asks for: remove what has the name of the copy and is not from botmint, or let botmint write there. It is tried again by itself.',
    on: { BotToken: ['ready'], RobotAccount: ['ready'] },
  },
  WriteRefused: {
    cause:
      'The API server refused a write (quota, admission policy, terminating namespace); the message has its words.',
    remedy: 'Do what the words ask for. It is tried again, less and less often, and at once after an edit of the spec.',
    on: { BotToken: ['ready', 'reconciling'], RobotAccount: ['ready', 'reconciling'] },
  },
  StatusListInvalid: {
    cause:
      'Somebody edited the ConfigMap of a status list into something that is none; the message names it. It is not written over, and what its tokens are worth cannot be said to who verifies offline.',
    remedy: 'Restore the ConfigMap, or delete it: it is made anew, and everything goes on by itself.',
    on: { ClusterTokenIssuer: ['ready'], BotToken: ['ready', 'reconciling'] },
  },
  UnknownFormat: {
    cause:
      'The object, or what is recorded in it, is in a form that this version does not know: the message names the field. It is left alone.',
    remedy: 'Use the version that wrote it, or correct the field.',
    on: {
      BotUser: ['reconciling', 'stalled'],
      BotToken: ['reconciling', 'stalled'],
      RobotAccount: ['reconciling', 'stalled'],
      ClusterTokenIssuer: ['stalled'],
    },
  },
  IssuerURLTaken: {
    cause: 'An older issuer has this `issuerURL`.',
    remedy: 'Delete one of the two.',
    on: { ClusterTokenIssuer: ['stalled'] },
  },
  SigningKeyInvalid: {
    cause: 'The Secret of the signing key (of the CA, for an issuer of type `registry`) does not hold what it should.',
    remedy:
      'Restore it, or delete it: the next key takes over, or a new CA is made, which every registry then has to be given.',
    on: { ClusterTokenIssuer: ['stalled', 'ready'] },
  },
  TooManyKeys: {
    cause: 'The issuer has as many keys as it can publish, and recorded credentials name each retired one.',
    remedy: 'Renew or delete the oldest BotTokens; a key is made as soon as one can go.',
    on: { ClusterTokenIssuer: ['ready', 'stalled'] },
  },
  KeyWithdrawn: {
    cause:
      'A key was stopped for good, as the annotation `botmint.dev/retire-key` asks, and tokens that it signed are replaced; the next key is being made.',
    on: { ClusterTokenIssuer: ['ready', 'reconciling'] },
  },
  KeyNotFound: {
    cause:
      'The annotation `botmint.dev/retire-key` names a key that the issuer does not publish. Nothing is stopped because of it, and the issuer goes on signing.',
    remedy:
      'Correct the annotation: the ids are in `status.keys`, for type `registry` in `status.rootCertFingerprints`. Or take it off.',
    on: { ClusterTokenIssuer: ['ready'] },
  },
  InUse: {
    cause: 'The issuer is being deleted and waits for the credentials that depend on it; the message counts them.',
    remedy: 'Delete or revoke their BotTokens and RobotAccounts.',
    on: { ClusterTokenIssuer: ['reconciling'] },
  },
  RevocationFailed: {
    cause:
      'The issuer did not revoke what an object that is going or gone had; the message has its words. It is tried again until it is done, less and less often.',
    remedy: 'Do what the words ask for. A Revocation that was deleted by hand is not tried again.',
    on: { BotToken: ['reconciling'], RobotAccount: ['reconciling'], Revocation: ['reconciling', 'ready', 'stalled'] },
  },
  HandedOver: {
    cause:
      'The issuer had not revoked a minute after the deletion was asked for: a Revocation in the namespace of botmint takes over, and the object goes.',
    on: { BotToken: ['reconciling'], RobotAccount: ['reconciling'] },
  },
  CredentialsEnded: {
    cause: 'A Revocation was not carried out, and everything that it is about has ended by itself.',
    on: { Revocation: ['ready'] },
  },
  OtherCluster: {
    cause: 'A Revocation was made in another cluster, whose credentials are not touched from here.',
    remedy: 'Delete it, or restore `clusterID` in the ConfigMap `botmint`.',
    on: { Revocation: ['stalled'] },
  },
} as const satisfies Record<string, Meaning>;
export type Reason = keyof typeof reasons;

/** What a kind's conditions say, before the times are put in. */
export interface Verdict {
  state: State;
  reason: Reason;
  message: string;
}

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
    const { reason, message } = verdict;
    return { type, status, reason, message, ...since(type, status, old, now), observedGeneration: generation };
  });
}

/** The conditions of a paused object: what is said of it otherwise stays, and that nothing more is done is added. */
export function pausedConditions(
  others: readonly RecordedCondition[] | undefined,
  old: readonly RecordedCondition[] | undefined,
  generation: number,
  now: Date,
): RecordedCondition[] {
  const { cause: message } = reasons.Paused;
  const waiting: Verdict = { state: 'reconciling', reason: 'Paused', message };
  const said = others?.filter(({ type }) => type !== 'Paused') ?? conditionsOf(waiting, old, generation, now);
  const paused = { type: 'Paused', status: 'True', reason: 'Paused', message } as const;
  return [...said, { ...paused, ...since('Paused', 'True', old, now), observedGeneration: generation }];
}

function since(type: ConditionType, status: string, old: readonly RecordedCondition[] | undefined, now: Date) {
  const before = old?.find(condition => condition.type === type);
  return { lastTransitionTime: before?.status === status ? before.lastTransitionTime : timestamp(now) };
}

/** A time as Kubernetes writes it: RFC 3339, UTC, whole seconds. */
export function timestamp(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
