import { createHash } from 'node:crypto';
import * as z from 'zod';
import { group } from '../api/names.ts';
import type { Clock } from '../base/clock.ts';
import type { SecretValue } from '../base/secret-value.ts';

/** What is needed of the API client: a POST of a review. */
export interface Reviewer {
  post<T>(path: string, body: object, parse: (value: unknown) => T, options: { signal: AbortSignal }): Promise<T>;
}

/** Whether a caller may introspect the tokens of an issuer. */
export type Access =
  | { access: 'allowed'; username: string }
  | { access: 'forbidden'; username: string }
  | { access: 'unauthenticated' };

/** Seconds that an answer of the reviews is used again: a withdrawn right or a deleted Pod's token lives on that long at most. */
const allowedSeconds = 10;
/** Shorter for a refusal: whoever has just been given the right should not have to wait for it. */
const refusedSeconds = 2;
/** So many answers are kept, the oldest go first; a caller that shows ever new tokens cannot fill the memory. */
const mostAnswers = 2048;
/** Two reviews on a busy API server; a caller gets 503 afterwards. */
const deadlineMilliseconds = 5000;

/**
 * Authenticates a caller by TokenReview and authorizes it by SubjectAccessReview: `create` on
 * `introspections.botmint.dev`, name = issuer. Fails when the API server does not answer: then nobody was refused.
 */
export class CallerAccess {
  readonly #reviewer: Reviewer;
  readonly #clock: Clock;
  /** By a digest, so that no token is kept. A promise, so that callers with the same token wait for one review. */
  readonly #answers = new Map<string, { answer: Promise<Access>; until: number }>();

  constructor(reviewer: Reviewer, clock: Clock) {
    this.#reviewer = reviewer;
    this.#clock = clock;
  }

  check(token: SecretValue, issuer: { name: string; issuerURL: string }): Promise<Access> {
    const key = createHash('sha256')
      .update(JSON.stringify([issuer.name, issuer.issuerURL, token.reveal()]))
      .digest('base64url');
    const known = this.#answers.get(key);
    if (known !== undefined && this.#clock.monotonic() < known.until) return known.answer;
    return this.#ask(key, token, issuer);
  }

  #ask(key: string, token: SecretValue, issuer: { name: string; issuerURL: string }): Promise<Access> {
    // Not the signal of one request: others wait for the same answer.
    const answer = this.#review(token, issuer, AbortSignal.timeout(deadlineMilliseconds));
    const entry = { answer, until: Number.POSITIVE_INFINITY };
    this.#answers.delete(key); // to the end of the order
    this.#answers.set(key, entry);
    this.#forgetOldest();
    answer.then(
      ({ access }) => {
        const seconds = access === 'allowed' ? allowedSeconds : refusedSeconds;
        entry.until = this.#clock.monotonic() + seconds * 1000;
      },
      () => {
        if (this.#answers.get(key) === entry) this.#answers.delete(key); // the callers get the error; the next one asks again
      },
    );
    return answer;
  }

  #forgetOldest(): void {
    for (const key of this.#answers.keys()) {
      if (this.#answers.size <= mostAnswers) return;
      this.#answers.delete(key);
    }
  }

  async #review(token: SecretValue, issuer: { name: string; issuerURL: string }, signal: AbortSignal): Promise<Access> {
    const user = await this.#authenticate(token, issuer.issuerURL, signal);
    if (user === undefined) return { access: 'unauthenticated' };
    const allowed = await this.#authorize(user, issuer.name, signal);
    return { access: allowed ? 'allowed' : 'forbidden', username: user.username };
  }

  async #authenticate(token: SecretValue, audience: string, signal: AbortSignal): Promise<User | undefined> {
    const review = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: token.reveal(), audiences: [audience] },
    };
    const path = '/apis/authentication.k8s.io/v1/tokenreviews';
    const { status } = await this.#reviewer.post(path, review, value => TokenReview.parse(value), { signal });
    // An authenticator that knows no audiences answers without any: its tokens were not made for us.
    const forUs = status.audiences?.includes(audience) === true;
    return status.authenticated === true && forUs ? status.user : undefined;
  }

  async #authorize(user: User, issuer: string, signal: AbortSignal): Promise<boolean> {
    const resourceAttributes = { verb: 'create', group, resource: 'introspections', name: issuer };
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: user.username, uid: user.uid, groups: user.groups, extra: user.extra, resourceAttributes },
    };
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
    const { status } = await this.#reviewer.post(path, review, value => SubjectAccessReview.parse(value), { signal });
    return status.allowed && status.denied !== true;
  }
}

const User = z.object({
  username: z.string().min(1),
  uid: z.string().optional(),
  groups: z.array(z.string()).optional(),
  extra: z.record(z.string(), z.array(z.string())).optional(),
});
type User = z.infer<typeof User>;

const TokenReview = z.object({
  status: z.object({
    authenticated: z.boolean().optional(),
    audiences: z.array(z.string()).optional(),
    // Present but empty when nobody was authenticated.
    user: User.optional().catch(undefined),
  }),
});

const SubjectAccessReview = z.object({
  status: z.object({ allowed: z.boolean(), denied: z.boolean().optional() }),
});
