import { type ApiServer, Refusal } from './api-server.ts';

/** What becomes of the next write. */
export type Fault =
  | 'none'
  /** It never arrives. */
  | 'lost'
  /** It is done, and the answer never comes back. */
  | 'unanswered'
  /** It arrives when its sender has long given up. */
  | 'late'
  /** A quota or an admission policy refuses it. */
  | 'refused'
  /** The process ends before it is sent, or before the answer is read. */
  | 'crash before'
  | 'crash after';

/** Nobody knows what became of a write. */
export class Unanswered extends Error {}

/** Sends a write: gives its answer, or throws what its sender sees instead. */
export function send<T>(server: ApiServer, fault: Fault, write: () => T): T {
  if (fault === 'none') return write();
  if (fault === 'refused') throw new Refusal('Forbidden');
  if (fault === 'late') server.inFlight.push(write);
  if (fault === 'unanswered' || fault === 'crash after') write();
  throw new Unanswered();
}
