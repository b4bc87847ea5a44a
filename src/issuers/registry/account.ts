import type { SecretValue } from '../../base/secret-value.ts';
import type { Grant } from './permissions.ts';
import { type LiveVerifier, VerifierKeyMissing, type Verifiers } from './verifiers.ts';

/** What the token server has to know of a robot account. Whoever supplies it leaves out an account that is being deleted. */
export interface Account {
  uid: string;
  /** As the issuer says it: `robot_<project>+<name>`, or `robot_<name>` at system level. */
  fullName: string;
  /** Those of all live secrets: the recorded one, those in their overlap, and the one in the Secret that is still to be recorded. */
  verifiers: readonly LiveVerifier[];
  /** The permissions in force, by project. */
  grants: readonly Grant[];
  disabled: boolean;
  /** The earlier one of its expiry and its `notAfter`; none for an account that never ends. */
  expiresAt?: Date | undefined;
}

/** What became of an attempt to log in. Only who has shown the right secret learns that the account is disabled or has ended. */
export type LogIn =
  | { result: 'ok'; account: Account }
  | { result: 'disabled' | 'expired' }
  | { result: 'refused' }
  /** Not tried: there were too many attempts. */
  | { result: 'limited'; retryAfterSeconds: number };

/** Bounds the attempts whose check is slow or that have failed. */
export interface AttemptLimit {
  /** Takes one; the seconds to wait when there is none. */
  take(): number | undefined;
  /** The attempt was none at guessing. */
  giveBack(): void;
}

/**
 * Checks a secret against an account, which may be unknown. All refusals cost the same time. The right generated secret is never held up by somebody who
 * guesses: checking it takes microseconds, and it cannot be guessed, so it is checked before attempts are counted.
 */
export async function logIn(
  account: Account | undefined,
  secret: SecretValue,
  by: { verifiers: Verifiers; limit: AttemptLimit; now: Date },
): Promise<LogIn> {
  const live = (account?.verifiers ?? []).filter(({ until }) => until === undefined || by.now < until);
  if (by.verifiers.matchesGenerated(account?.uid, live, secret)) return admitted(account, by.now);
  const wait = by.limit.take();
  if (wait !== undefined) return { result: 'limited', retryAfterSeconds: wait };
  const matches = await by.verifiers.matchesOwn(account?.uid, live, secret).catch((error: unknown) => {
    by.limit.giveBack(); // nothing was checked, so nothing was guessed
    throw error;
  });
  if (!matches && by.verifiers.lacksKeyOf(live)) throw new VerifierKeyMissing('a verifier of a key that is not loaded');
  if (!matches) return { result: 'refused' };
  by.limit.giveBack();
  return admitted(account, by.now);
}

function admitted(account: Account | undefined, now: Date): LogIn {
  if (account === undefined) return { result: 'refused' };
  if (account.disabled) return { result: 'disabled' };
  // Not `now >= expiresAt`: an end that is no time is none that never comes.
  if (account.expiresAt !== undefined && !(now < account.expiresAt)) return { result: 'expired' };
  return { result: 'ok', account };
}
