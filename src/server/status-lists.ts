import type { IssuerOf } from '../api/cluster-token-issuer.ts';
import type { Clock } from '../base/clock.ts';
import { BotmintError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SigningKey } from '../issuers/jwt/keys.ts';
import { signStatusList, statusListURI } from '../issuers/jwt/status-list.ts';
import { type Answer, failure, unavailable } from './answer.ts';
import { type Document, type EndpointRequest, etagOf, isReading, methodNotAllowed, published } from './documents.ts';

/**
 * How long a verifier may work with a list before it fetches it again, and so how long a revoked token may still be taken
 * by one that verifies offline. A minute: what is fetched is a few kilobytes, mostly answered by a 304.
 */
export const ttlSeconds = 60;
/**
 * When a list stops being one. Verifiers that cannot fetch go on with what they have until then, if their policy lets them:
 * between 6 and 12 hours, enough for a night without the operator, and the most that an attacker gains who keeps them from fetching.
 */
const lifetimeSeconds = 12 * 3600;
/** A list that does not change is signed anew in good time. */
const renewAfterSeconds = lifetimeSeconds / 2;
/** For the read of a signing key. */
const deadlineMilliseconds = 5_000;

/** The lists as this replica's cache has them. */
export interface ListSource {
  /** A list of this issuer, compressed; `unreadable`: it is there, and nobody can say what is in it. */
  published(list: number, issuer: { uid: string }): { lst: string } | 'unreadable' | undefined;
  /** The numbers of all lists of this issuer. */
  numbers(issuer: { uid: string }): readonly number[];
}

export interface StatusListEndpointsDeps {
  statusLists: ListSource;
  keys: { active(issuer: IssuerOf<'jwt'>, signal: AbortSignal): Promise<SigningKey> };
  clock: Clock;
  log: Log;
}

/** A list that was signed, and from what: it is served until one of these changes or its time comes. */
interface Signed {
  lst: string;
  kid: string | undefined;
  issuerURL: string;
  signedAt: number;
  document: Document;
}

/** Serves the status lists of the issuers. Each is signed once for each change, by whichever replica is asked for it. */
export class StatusListEndpoints {
  readonly #of: StatusListEndpointsDeps;
  readonly #signed = new Map<number, Signed>();
  readonly #signing = new Map<string, Promise<Signed>>();

  constructor(of: StatusListEndpointsDeps) {
    this.#of = of;
  }

  /** One list, as a signed token. */
  async answer(request: EndpointRequest, issuer: IssuerOf<'jwt'>, list: number): Promise<Answer> {
    if (!isReading(request)) return methodNotAllowed('GET, HEAD');
    // The draft, section 8.4: what a list said in the past is not kept.
    if (new URLSearchParams(request.query).has('time'))
      return failure(501, 'not_implemented', 'only the list of the moment is served');
    const source = this.#of.statusLists.published(list, issuer.metadata);
    if (source === undefined) this.#signed.delete(list);
    if (source === undefined) return failure(404, 'not_found', 'the issuer has no such status list');
    if (source === 'unreadable') return unavailable('the status list is not one any more');
    try {
      return published(request, (await this.#current(issuer, list, source.lst)).document);
    } catch (error) {
      const reason = error instanceof BotmintError ? error.reason : error instanceof Error ? error.name : 'Unknown';
      this.#of.log.warn({ issuer: issuer.metadata.name, list, reason }, 'status list could not be signed');
      return unavailable('the status list cannot be signed');
    }
  }

  /** Where all lists of an issuer are (draft, section 9.3). */
  all(request: EndpointRequest, issuer: IssuerOf<'jwt'>): Answer {
    const numbers = this.#of.statusLists.numbers(issuer.metadata).toSorted((a, b) => a - b);
    const body = JSON.stringify({ status_lists: numbers.map(list => statusListURI(issuer.spec.jwt.issuerURL, list)) });
    return published(request, { ...common, body, contentType: 'application/json', etag: etagOf(body) });
  }

  async #current(issuer: IssuerOf<'jwt'>, list: number, lst: string): Promise<Signed> {
    const { issuerURL } = issuer.spec.jwt;
    const kid = issuer.status?.keys?.find(({ state }) => state === 'Active')?.kid;
    const now = this.#of.clock.now().getTime();
    const known = this.#signed.get(list);
    const isSame = known?.lst === lst && known.kid === kid && known.issuerURL === issuerURL;
    // A clock that was put back makes it older than it should be: signed anew as well.
    const age = known === undefined ? 0 : now - known.signedAt;
    if (known !== undefined && isSame && age >= 0 && age < renewAfterSeconds * 1000) return known;
    // Whoever asks while it is being signed gets the same one.
    const what = `${list} ${kid} ${lst}`;
    const signing = this.#signing.get(what) ?? this.#sign(issuer, list, lst).finally(() => this.#signing.delete(what));
    this.#signing.set(what, signing);
    return signing;
  }

  async #sign(issuer: IssuerOf<'jwt'>, list: number, lst: string): Promise<Signed> {
    const key = await this.#of.keys.active(issuer, AbortSignal.timeout(deadlineMilliseconds));
    const { issuerURL } = issuer.spec.jwt;
    const issuedAt = this.#of.clock.now();
    const body = await signStatusList(key, { issuerURL, list, lst, issuedAt, lifetimeSeconds, ttlSeconds });
    const document = { ...common, body, contentType: 'application/statuslist+jwt', etag: etagOf(body) };
    const signed = { lst, kid: key.kid, issuerURL, signedAt: issuedAt.getTime(), document };
    this.#signed.set(list, signed);
    return signed;
  }
}

/** The draft, section 8.1, recommends CORS: a page in a browser may look at a list as everybody else may. */
const common = { maxAgeSeconds: ttlSeconds, headers: { 'access-control-allow-origin': '*' } };
