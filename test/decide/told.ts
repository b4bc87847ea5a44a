import { BotToken } from '../../src/api/bot-token.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Observed } from '../../src/decide/credential-seen.ts';
import type { StatusWrite } from '../../src/decide/credential-status.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { now } from './healthy.ts';

/** The token as the API server has it after a write of its status. */
export function written(token: BotToken, { patch }: StatusWrite): BotToken {
  return BotToken.parse(applyMergePatch(token, { status: patch }));
}

/** The token after the next step, which has to be a write of its status. */
export function recorded(seen: Observed, time = now): BotToken {
  const step = decide(seen, time);
  if (step.do !== 'write-status') throw new Error(`not a status write: ${step.do}`);
  return written(seen.object as BotToken, step);
}

/** What the conditions say once nothing is left to do but to say it, in the words of the design's table; else the step. */
export function told(seen: Observed, time = now): string {
  const step = decide(seen, time);
  if (step.do === 'rest') return said(seen.object as BotToken);
  return step.do === 'write-status' ? told({ ...seen, object: written(seen.object as BotToken, step) }, time) : step.do;
}

function said({ status }: BotToken): string {
  const conditions = new Map(status?.conditions?.map(condition => [condition.type, condition]));
  const held = ['Reconciling', 'Stalled'].filter(type => conditions.get(type)?.status === 'True');
  const ready = conditions.get('Ready');
  return [`Ready=${ready?.status}`, ...held.map(type => `${type}=True`), ready?.reason].join(', ');
}

/** What a person reads beside it. */
export function message(seen: Observed, time = now): string | undefined {
  return recorded(seen, time).status?.conditions?.[0]?.message;
}
