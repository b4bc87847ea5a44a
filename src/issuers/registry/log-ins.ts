import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import type { SecretValue } from '../../base/secret-value.ts';
import type { Account } from './account.ts';
import { type LiveVerifier, VerifierKeyMissing, type Verifiers } from './verifiers.ts';

/** What became of an attempt to log in. Only who has shown the right secret learns that the account is disabled or has ended. */
export type LogIn =
  | { result: 'ok'; account: Account }
  | { result: 'disabled' | 'expired' }
  | { result: 'refused' }
  /** Not tried: there were too many attempts. */
  | { result: 'limited'; retryAfterSeconds: number };

/** Bounds the attempts that are not right. */
export interface AttemptLimit {
  /** Takes one; the seconds to wait when there is none. */
  take(): number | undefined;
  /** The attempt was right. */
  giveBack(): void;
}

/** Who is said to log in, and the account of that name, which there may not be. */
export interface Attempt {
  name: string;
  account: Account | undefined;
  secret: SecretValue;
}

type Checked = Extract<LogIn, { result: 'refused' | 'limited' }> | { result: 'right' };

/** So many own secrets that were right are remembered, a hundred bytes each; those that were shown least lately go first. */
const mostRemembered = 4096;

/**
 * Checks secrets against accounts. The right generated secret is never held up by somebody who guesses: checking it takes microseconds, and it
 * cannot be guessed, so it is checked before attempts are counted. Every other attempt is counted, and all refusals cost the same time.
 *
 * A secret of one's own is slow to check once, and is then remembered: as a MAC, under a key that never leaves this process, over the account, its live
 * verifiers and the secret, so a change of any of them makes it unknown again. It is asked for behind the limit, or it could be guessed at that fast.
 */
export class LogIns {
  readonly #verifiers: Verifiers;
  readonly #key = createSecretKey(randomBytes(32));
  /** Nobody can choose what is in here, so the time of a look at it says nothing of how nearly a guess was right. */
  readonly #right = new Set<string>();
  readonly #running = new Map<string, Promise<Checked>>();

  constructor(verifiers: Verifiers) {
    this.#verifiers = verifiers;
  }

  /** Fails when too many checks wait, or a verifier's key is not loaded: then nobody was refused. */
  async logIn({ name, account, secret }: Attempt, { limit, now }: { limit: AttemptLimit; now: Date }): Promise<LogIn> {
    const live = (account?.verifiers ?? []).filter(({ until }) => until === undefined || now < until);
    const shown: Shown = { name, uid: account?.uid, live, secret };
    if (this.#verifiers.matchesGenerated(shown.uid, live, secret)) return admitted(account, now);
    const checked = await this.#checkOnce(shown, limit);
    return checked.result === 'right' ? admitted(account, now) : checked;
  }

  /** A crowd that comes with one secret makes one attempt, and waits for one check. */
  #checkOnce(shown: Shown, limit: AttemptLimit): Promise<Checked> {
    const mac = this.#macOf(shown);
    const running = this.#running.get(mac) ?? this.#check(shown, mac, limit).finally(() => this.#running.delete(mac));
    this.#running.set(mac, running);
    return running;
  }

  /** An attempt that fails for want of a place in the queue stays counted: by then it may have been compared with what is remembered. */
  async #check({ uid, live, secret }: Shown, mac: string, limit: AttemptLimit): Promise<Checked> {
    const wait = limit.take();
    if (wait !== undefined) return { result: 'limited', retryAfterSeconds: wait };
    const lacksKey = this.#verifiers.lacksKeyOf(live);
    const isRight = (this.#right.has(mac) && !lacksKey) || (await this.#verifiers.matchesOwn(uid, live, secret));
    if (!isRight && lacksKey) throw new VerifierKeyMissing('a verifier of a key that is not loaded');
    if (!isRight) return { result: 'refused' };
    limit.giveBack();
    this.#remember(mac);
    return { result: 'right' };
  }

  #remember(mac: string): void {
    this.#right.delete(mac); // to the end of the order
    this.#right.add(mac);
    for (const oldest of this.#right) {
      if (this.#right.size <= mostRemembered) return;
      this.#right.delete(oldest);
    }
  }

  /** Without an account the name stands for it: no two names share a check, as no two accounts do. */
  #macOf({ name, uid, live, secret }: Shown): string {
    const against = live.map(({ revision, verifier }) => [revision, verifier]);
    return createHmac('sha256', this.#key)
      .update(`${JSON.stringify([uid ?? name, against])}\n`) // no line break in it, so it ends at the first
      .update(secret.reveal())
      .digest('base64url');
  }
}

interface Shown {
  name: string;
  uid: string | undefined;
  live: readonly LiveVerifier[];
  secret: SecretValue;
}

function admitted(account: Account | undefined, now: Date): LogIn {
  if (account === undefined) return { result: 'refused' };
  if (account.disabled) return { result: 'disabled' };
  // Not `now >= expiresAt`: an end that is no time is none that never comes.
  if (account.expiresAt !== undefined && !(now < account.expiresAt)) return { result: 'expired' };
  return { result: 'ok', account };
}
