import type { SeenRequest } from './requests.ts';

/** Something a test does at a certain request; the proxy waits for it. */
export type Act = () => unknown;

/** What the proxy does with a request. */
export type Decision =
  /** `before` runs before the API server sees it, `after` when it has answered and its client does not know yet. */
  | { do: 'forward'; before?: Act; after?: Act }
  /** The proxy answers in the API server's place. */
  | { do: 'refuse'; status: number; body: object; headers: Record<string, string> }
  /** The API server never sees it; its connection is destroyed. */
  | { do: 'lose-request'; act: Act }
  /** The API server carries it out; the answer is never given, its connection is destroyed. */
  | { do: 'lose-answer'; act: Act };

/** Asked for each request. It may keep count: it is asked in the order in which requests come in. */
export type Rule = (request: SeenRequest) => Decision;

const nothing: Act = () => undefined;

/** Lets it pass. */
export const forward: Decision = { do: 'forward' };

/** Nobody is told: the connection breaks before the API server has seen anything. */
export const drop: Decision = { do: 'lose-request', act: nothing };

/** Holds it back until then. A write lands also when its sender is gone by that time. */
export function delay(until: Promise<unknown>): Decision {
  return { do: 'forward', before: () => until };
}

/** Runs the act, for example a kill, and the API server never sees the request. */
export function before(act: Act): Decision {
  return { do: 'lose-request', act };
}

/** The API server carries the request out, then the act runs, for example a kill; the answer is never given. */
export function after(act: Act): Decision {
  return { do: 'lose-answer', act };
}

/** Answers with a Status, as the API server would. */
export function refuse(
  status: number,
  reason: string,
  o: { message?: string; retryAfterSeconds?: number } = {},
): Decision {
  const message = o.message ?? `refused by the fault proxy: ${reason}`;
  const body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code: status };
  const wait = o.retryAfterSeconds;
  return { do: 'refuse', status, body, headers: wait === undefined ? {} : { 'retry-after': String(wait) } };
}
