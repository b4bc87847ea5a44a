import type { Credentialed } from '../api/credentialed.ts';
import type { CopiesSeen, CopyChange, CopySeen } from './copies-seen.ts';
import { type CopyMarks, type CopySource, copyMarksOf, isCopyLabelled } from './copy-metadata.ts';
import { recordOf, revisionOf } from './credential-record.ts';
import type { Observed, Step } from './credential-seen.ts';
import { isPaused, livePrevious } from './credential-status.ts';
import { differ } from './digest.ts';
import { handOverTime } from './hand-over.ts';
import { marksOf } from './secret-metadata.ts';
import { earliest } from './times.ts';

/** What is to be done about the copies of an object, and what stands in the way. */
interface CopyPlan {
  source: CopySource | undefined;
  changes: readonly CopyChange[];
  /** When something that failed may be tried again. */
  until: Date | undefined;
  troubles: readonly string[];
}

/** How long ServiceAccounts may take to be known for the first time before they are asked about again. */
const accountsPollSeconds = 2;
const accountsUnknown =
  'ServiceAccounts cannot be watched: let botmint get, list, watch and patch them, or leave out spec.secret.copies.imagePullSecretsOf';

/**
 * The step, or what has to come before it: a new credential is in every copy before it is recorded, because with the record
 * the old one may end; and the copies are taken away before what they were made from is forgotten. Where a copy cannot be
 * written nothing waits for it.
 */
export function afterCopies(seen: Observed, step: Step, now: Date): Step {
  if (seen.copies === undefined || !turns.includes(step.do)) return step;
  const plan = planOf(seen, isEnd(step), now);
  if (plan.changes.length > 0) return { do: 'copy', source: plan.source, changes: plan.changes };
  return step.do === 'rest' ? { do: 'rest', until: earliest(step.until, plan.until) } : step;
}

/** Every other step comes before the Secret is what it is to be, or takes it away. */
const turns: readonly Step['do'][] = ['rest', 'write-status', 'read-workloads', 'restart-workload', 'remove-finalizer'];

function isEnd(step: Step): boolean {
  return step.do === 'remove-finalizer' || (step.do === 'write-status' && step.because === 'revoked');
}

/** The step, but for the end of an object whose copies could not be taken away: that waits, though not for ever (I6). */
export function heldByCopies(seen: Observed, step: Step, now: Date): Step {
  if (step.do !== 'remove-finalizer' || seen.copies === undefined || seen.copies.copies.length === 0) return step;
  const deadline = handOverTime(seen);
  if (deadline === undefined || deadline <= now) return step;
  return { do: 'rest', until: earliest(deadline, planOf(seen, true, now).until) };
}

/** What people should know of the copies; undefined where all is well. */
export function copyTrouble(seen: Observed, now: Date): string | undefined {
  if (seen.copies === undefined) return undefined;
  const { troubles } = planOf(seen, false, now);
  if (troubles.length === 0) return undefined;
  const [said, more] = [troubles.slice(0, mostTroubles), troubles.length - mostTroubles];
  return [...said, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

const mostTroubles = 5;

function planOf(seen: Observed, ends: boolean, now: Date): CopyPlan {
  const { copies: known } = seen;
  const stage = stageOf(seen, ends, now);
  if (known === undefined || stage === 'leave')
    return { source: undefined, changes: [], until: undefined, troubles: [] };
  const source = stage === 'keep' && !isPaused(seen.object) ? sourceOf(seen) : undefined;
  const takers = new Set(stage === 'keep' ? known.takers : []);
  const copies = new Map(known.copies.map(copy => [copy.namespace, copy]));
  const wished: CopyChange[] = [];
  for (const namespace of new Set([...takers, ...copies.keys()])) {
    const copy = copies.get(namespace);
    if (!takers.has(namespace)) wished.push(...removal(seen, copy));
    else if (source !== undefined && copy?.going !== true)
      wished.push(...changesIn(seen, known, source, namespace, copy));
  }
  const unknown = source !== undefined && known.pullSecretsOf === undefined && namesAccounts(seen, known);
  const plan = paced(wished, known, now);
  if (!unknown) return { source, ...plan };
  const until = earliest(plan.until, new Date(now.getTime() + accountsPollSeconds * 1000));
  return { source, ...plan, until, troubles: [...plan.troubles, ...(known.accountsOverdue ? [accountsUnknown] : [])] };
}

/** Only what may be tried now; of all else, when, and what went wrong the last time. */
function paced(wished: readonly CopyChange[], { attempt }: CopiesSeen, now: Date): Omit<CopyPlan, 'source'> {
  const changes: CopyChange[] = [];
  const troubles: string[] = [];
  let until: Date | undefined;
  for (const change of wished) {
    const last = attempt(change.place);
    if (last === undefined || last.wanted !== change.wanted || last.at <= now) changes.push(change);
    else {
      until = earliest(until, last.at);
      if (last.trouble !== undefined) troubles.push(last.trouble);
    }
  }
  return { changes, until, troubles: troubles.sort() };
}

/**
 * `keep`: the copies are to be as the Secret is. `remove`: nothing is in force any more. `leave`: nothing is concluded from
 * what cannot be read.
 */
function stageOf(seen: Observed, ends: boolean, now: Date): 'keep' | 'remove' | 'leave' {
  const { object, secret, principal } = seen;
  if (ends || object.metadata.deletionTimestamp !== undefined || object.spec.revoked === true) return 'remove';
  const record = recordOf(object);
  const marks = secret.state === 'ours' ? marksOf(secret.metadata) : undefined;
  if (record === 'unknown' || marks?.inputs === 'unknown' || principal.state === 'unreadable') return 'leave';
  if (record !== undefined || secret.state === 'ours' || livePrevious(object, now).length > 0) return 'keep';
  return 'remove';
}

/** What copies are made from: the Secret with a credential that is recorded or about to be, as botmint wrote it. */
function sourceOf(seen: Observed): CopySource | undefined {
  const { kind, object, secret } = seen;
  const marks = secret.state === 'ours' ? marksOf(secret.metadata) : undefined;
  if (secret.state !== 'ours' || secret.digest === undefined || marks === undefined) return undefined;
  const { inputs, tokenID, revision } = marks;
  if (inputs === 'unknown' || !kind.knows(inputs) || differ(secret.digest, inputs.digest)) return undefined;
  // An older one was put back by somebody, and what names another object was written in by hand.
  const isOlder =
    revision < revisionOf(object) || (revision === revisionOf(object) && tokenID !== object.status?.tokenID);
  if (isOlder || !tokenID.startsWith(`${object.metadata.uid}.${revision}.`)) return undefined;
  const { labels, annotations } = inputs.secret;
  const { uid, resourceVersion } = secret;
  return { uid, resourceVersion, tokenID, digest: inputs.digest, labels, annotations };
}

function removal({ object }: Observed, copy: CopySeen | undefined): CopyChange[] {
  if (copy === undefined || copy.going) return [];
  const { namespace } = copy;
  const wanted = `delete for ${object.metadata.generation}`;
  return [{ do: 'delete', place: namespace, wanted, namespace, over: copy }];
}

function changesIn(
  seen: Observed,
  known: CopiesSeen,
  source: CopySource,
  namespace: string,
  copy: CopySeen | undefined,
): CopyChange[] {
  const { object } = seen;
  const at = { place: namespace, namespace };
  // With the Secret or the spec anything may have changed that stood in the way.
  const wanted = `${source.resourceVersion} for ${object.metadata.generation}`;
  const marks = copy && copyMarksOf(copy.metadata);
  const accounts = accountsIn(object, known, namespace, marks);
  const serviceAccounts = accounts?.claimed ?? marks?.serviceAccounts ?? known.lastNoted(namespace);
  if (copy === undefined) return [{ do: 'write', ...at, wanted, over: undefined, serviceAccounts }];
  if (copy.digest === undefined) return [{ do: 'read', ...at, wanted: `read ${copy.resourceVersion}`, over: copy }];
  if (marks?.digest !== source.digest || differ(copy.digest, source.digest))
    return [{ do: 'write', ...at, wanted, over: copy, serviceAccounts }];
  if (!isCopyLabelled(copy.metadata, seen, source))
    return [{ do: 'label', ...at, wanted, over: copy, serviceAccounts }];
  if (accounts === undefined) return [];
  const label: CopyChange = {
    do: 'label',
    place: `${namespace}/`, // apart from the attempts at the copy as a whole
    wanted: `${wanted} ${serviceAccounts.join()}`,
    namespace,
    over: copy,
    serviceAccounts,
  };
  const isNoted = serviceAccounts.join() === marks.serviceAccounts.join();
  const lists = (what: 'list' | 'unlist', names: readonly string[]) =>
    names.map(account => ({ do: what, place: `${namespace}/${account}`, wanted: what, namespace, account }));
  return [
    ...(isNoted ? lists('list', accounts.missing) : [label]), // noted first, so that it is taken out again after any crash
    ...lists('unlist', accounts.obsolete),
  ];
}

interface Accounts {
  /** Those that are, or will be, given the name of the copy. */
  claimed: readonly string[];
  missing: readonly string[];
  obsolete: readonly string[];
}

/** Undefined while nobody knows them. */
function accountsIn(
  { metadata, spec }: Credentialed,
  { pullSecretsOf, lastNoted }: CopiesSeen,
  namespace: string,
  marks: CopyMarks | undefined,
): Accounts | undefined {
  if (pullSecretsOf === undefined) return undefined;
  const copy = spec.secret.name ?? metadata.name;
  const wanted = spec.secret.copies?.imagePullSecretsOf ?? [];
  const noted = marks?.serviceAccounts ?? lastNoted(namespace);
  const lists = (account: string) => pullSecretsOf(namespace, account)?.includes(copy);
  const missing = wanted.filter(account => lists(account) === false);
  const obsolete = noted.filter(account => !wanted.includes(account) && lists(account) === true);
  const kept = noted.filter(account => wanted.includes(account) || obsolete.includes(account));
  return { claimed: [...kept, ...missing.filter(account => !noted.includes(account))], missing, obsolete };
}

function namesAccounts({ object }: Observed, { copies }: CopiesSeen): boolean {
  if ((object.spec.secret.copies?.imagePullSecretsOf ?? []).length > 0) return true;
  return copies.some(({ metadata }) => (copyMarksOf(metadata)?.serviceAccounts ?? []).length > 0);
}
