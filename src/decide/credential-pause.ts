import { conditionsOf, pausedConditions, reasons, type Verdict } from '../api/conditions.ts';
import { pausedAnnotation } from '../api/names.ts';
import { mergePatch } from '../base/merge-patch.ts';
import type { Recorded } from './credential-record.ts';
import { type Found, lacksKey, type Step } from './credential-seen.ts';
import { hasReason, nextTime } from './credential-status.ts';
import { stalled, verdictOf } from './credential-verdict.ts';

/** Says that the object is paused, and what the spec has taken away all the same; all else stays as it was, as long as it is true. */
export function paused(seen: Found, record: Recorded | undefined, now: Date): Step {
  const { object } = seen;
  const { generation = 0 } = object.metadata;
  const { conditions: old, observedGeneration } = object.status ?? {};
  const said = record && otherVerdict(seen, record, now);
  const others = said === undefined ? old : conditionsOf(said, old, observedGeneration ?? generation, now);
  const status = {
    ...object.status,
    ...seen.kind.served(object, record?.inputs, undefined),
    observedGeneration: old === undefined ? generation : observedGeneration,
    conditions: pausedConditions(others, old, generation, now),
  };
  const patch = mergePatch(object.status, status);
  if (patch === undefined) return { do: 'rest', until: nextTime(object, now) };
  const verdict = said ?? { state: 'reconciling', reason: 'Paused', message: reasons.Paused.cause };
  return { do: 'write-status', patch, because: 'state', verdict };
}

/** What is said otherwise is that nobody can log in any more, and that somebody can again. */
function otherVerdict(seen: Found, record: Recorded, now: Date): Verdict | undefined {
  if (lacksKey(seen, record.inputs)) return stalled('VerifierKeyMissing', withoutKey);
  if (!hasReason(seen.object, 'VerifierKeyMissing')) return undefined;
  return verdictOf(seen, record, seen.principal.grant, now);
}

const withoutKey =
  'nobody can log in: the key with which the verifier of the secret was made is gone. ' +
  `Take the annotation ${pausedAnnotation} off, and it is made anew from the same secret`;
