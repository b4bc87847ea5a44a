import { expect } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { parseDuration } from '../../src/api/durations.ts';
import type { Inputs } from '../../src/api/inputs.ts';
import { managedLabel, ownerUIDAnnotation, tokenIDAnnotation } from '../../src/api/names.ts';
import { dataOf } from '../../src/controllers/secret-readings.ts';
import { type Recorded, recordOf } from '../../src/decide/credential-record.ts';
import { openRollout } from '../../src/decide/rollout.ts';
import { progressOf } from '../../src/decide/workload-progress.ts';
import { type ApiServer, type StoredSecret, whole } from './api-server.ts';
import { type Signed, textOf } from './signing.ts';
import { Operator } from './world.ts';

/** What the invariants are asked about: which credentials live, and what is recorded. */
export interface Snapshot {
  live: readonly Signed[];
  record: Recorded | undefined;
  /** A narrower one was on its way: who verifies offline takes the recorded one no more. */
  isListedInvalid: boolean;
  published: ReadonlySet<string>;
  status: BotToken['status'];
  /** What the consumer was restarted for, and whether it has to be waited for. */
  restarts: ApiServer['restarts'];
  mustRoll: boolean;
  isNamed: boolean;
  time: Date;
}

export function snapshot(server: ApiServer): Snapshot {
  const { token, time } = server;
  const record = token && known(token);
  return {
    live: server.live(),
    record,
    isListedInvalid: server.lists.get(record?.inputs.statusListIndex ?? 0) === 'INVALID',
    published: new Set(server.published),
    status: token?.status,
    restarts: [...server.restarts],
    mustRoll: mustRoll(server),
    isNamed: (token?.spec.restart ?? []).length > 0,
    time,
  };
}

function mustRoll({ token, workload, restarts, rolledTo }: ApiServer): boolean {
  const tokenID = token?.status?.tokenID ?? '';
  const isRestarted = restarts.some(each => each.uid === workload?.metadata.uid && each.tokenID === tokenID);
  return isRestarted && !rolledTo.has(tokenID);
}

/** What users do that ends every credential at once. */
const endings = ['revokes', 'deletes the token', 'takes off the finalizer', 'deletes the bot', 'disables the bot'];
/** What users do that ends a credential which stands in the Secret only. */
const secretChanges = ['loses the Secret', 'takes off the marks'];

/**
 * I1 and I3, asked after every step: what lives, and why something does not live any more. The model checker found one
 * exception: where two act at once, or a write is late, while a user takes the Secret away, a credential that is not recorded
 * yet may die of the record of the one before it, until the next reconcile. `raced` is true where that can be.
 */
export function followsTheRules(
  before: Snapshot,
  after: Snapshot,
  { cause, raced }: { cause: string; raced: boolean },
): void {
  const revisions = after.live.map(({ claims, revision }) => `${claims['botmint.dev'].uid} ${revision}`);
  expect(revisions).toHaveLength(new Set(revisions).size);
  if (!raced) restartsOnce(before, after);
  if (cause === 'time' || endings.includes(cause)) return;
  const alive = new Set(after.live.map(({ tokenID }) => tokenID));
  for (const dead of before.live.filter(({ tokenID }) => !alive.has(tokenID))) {
    const unrecorded = dead.revision > (before.record?.revision ?? 0);
    if (wasReleased(dead, before, after)) continue;
    if (!unrecorded || !(raced || secretChanges.includes(cause))) diedByTheRules(before, after);
  }
}

/** What is recorded as restarted for a token is not restarted for it again, whoever takes the annotation off. */
function restartsOnce(before: Snapshot, after: Snapshot): void {
  const { restarted = [], tokenID } = before.status?.rollout ?? {};
  const again = after.restarts.slice(before.restarts.length).filter(each => each.tokenID === tokenID);
  if (restarted.length > 0) expect(again).toEqual([]);
}

/** A credential that waited for the consumers beyond its overlap ends when they have rolled, or are not waited for any more. */
function wasReleased({ tokenID }: Signed, before: Snapshot, after: Snapshot): boolean {
  const held = before.status?.previous?.find(old => old.tokenID === tokenID);
  const finished = before.status?.rollout?.finishedAt === undefined ? after.status?.rollout : undefined;
  if (held?.overlapEndsAt === undefined || finished?.finishedAt === undefined) return false;
  const isNamed = after.isNamed && Date.parse(finished.givesUpAt) > after.time.getTime();
  expect([Date.parse(held.overlapEndsAt) <= after.time.getTime(), isNamed && before.mustRoll]).toEqual([true, false]);
  return true;
}

/**
 * Only for what is recorded, has been in the Secret, and may do less than the one before, or comes after one that a list has
 * ended already: then all older ones go as well.
 */
function diedByTheRules(before: Snapshot, after: Snapshot): void {
  expect(after.record?.revision).toBeGreaterThan(before.record?.revision ?? 0);
  expect(before.published).toContain(after.record?.tokenID);
  expect(after.record?.inputs.overlapSeconds).toBe(0);
  if (before.isListedInvalid) return;
  expect(after.record && before.record && isNarrower(after.record.inputs, before.record.inputs)).toBe(true);
}

function isNarrower(now: Inputs, before: Inputs): boolean {
  if (now.robot !== undefined || before.robot !== undefined) return false;
  const life = ({ expiresIn }: Inputs) => Number(parseDuration(expiresIn));
  const gone = before.scopes.some(scope => !now.scopes.includes(scope));
  return gone || life(now) < life(before) || now.botUser.uid !== before.botUser.uid;
}

/** Once all is calm: what is wanted is there, what is not wanted is dead, and nobody writes any more, not even after a restart. */
export function hasSettled(server: ApiServer, operators: readonly Operator[]): void {
  while (server.inFlight.length > 0) server.arrive();
  settle(server, operators);
  listTellsTheTruth(server);
  server.disableBotUser(false);
  settle(server, operators);
  listTellsTheTruth(server);
  const { writes, token, secret, botUser } = server;
  settle(server, [new Operator(server)]);
  expect(server.writes).toBe(writes);
  expect(token?.metadata.deletionTimestamp).toBeUndefined();
  if (token !== undefined && token.spec.revoked !== true && botUser !== undefined) isServed(server, token, secret);
  else expect([server.live(), isFindable(secret)]).toEqual([[], false]);
}

/**
 * Who verifies offline is told what introspection says. What was never recorded is not decide's matter (its process looks
 * after that); what ended by itself says so itself; what a Revocation has taken over is the Revocation's.
 */
function listTellsTheTruth(server: ApiServer): void {
  const live = new Set(server.live().map(({ tokenID }) => tokenID));
  const over = new Set(server.revocations.flatMap(({ spec }) => spec.credentials.map(({ tokenID }) => tokenID)));
  const held = new Set([
    server.token?.status?.tokenID,
    ...(server.token?.status?.previous ?? []).map(old => old.tokenID),
  ]);
  for (const { tokenID, inputs } of server.signed) {
    const says = server.lists.get(inputs.statusListIndex ?? 0) ?? 'VALID';
    const ended = inputs.expiresAt !== undefined && Date.parse(inputs.expiresAt) <= server.time.getTime();
    if (ended || over.has(tokenID) || !server.recorded.has(tokenID) || server.forced) continue;
    const waits = held.has(tokenID) && server.botUser?.spec.disabled === true;
    // What lost its Secret before its successor was recorded is INVALID already; another one is issued when that is allowed.
    if (waits && says === 'INVALID') continue;
    expect([tokenID, says]).toEqual([tokenID, live.has(tokenID) ? 'VALID' : waits ? 'SUSPENDED' : 'INVALID']);
  }
}

/** A dead credential may stay in a Secret that a user stripped before it was recorded: nothing leads to it any more. */
function isFindable(secret: StoredSecret | undefined): boolean {
  return secret?.metadata.labels?.[managedLabel] !== undefined && secret.metadata.ownerReferences !== undefined;
}

/** Stripped of everything that says whose it is, before it was recorded: nobody may touch it any more. */
function isForeign(secret: StoredSecret | undefined): boolean {
  const { annotations, ownerReferences } = secret?.metadata ?? {};
  return secret !== undefined && annotations?.[ownerUIDAnnotation] === undefined && ownerReferences === undefined;
}

function isServed(server: ApiServer, token: BotToken, secret: StoredSecret | undefined): void {
  const { scopes, expiresIn, rotation } = token.spec;
  const record = known(token);
  if (isForeign(secret)) return;
  expect(record?.inputs).toMatchObject({ scopes, expiresIn });
  for (const { inputs } of server.live()) expect(scopes).toEqual(expect.arrayContaining(inputs.scopes));
  const ended = Date.parse(record?.inputs.expiresAt ?? '') <= server.time.getTime();
  if (record === undefined || (ended && rotation === undefined)) return;
  expect(server.live().map(({ tokenID }) => tokenID)).toContain(record.tokenID);
  expect(secret?.metadata.annotations?.[tokenIDAnnotation]).toBe(record.tokenID);
  const held = secret === undefined ? [] : [...dataOf(whole(secret))];
  expect(held.map(([key]) => key).sort()).toEqual(token.spec.secret.data.map(({ key }) => key).sort());
  for (const [, value] of held) expect(value.reveal()).toContain(textOf(record.tokenID).reveal());
}

function known(token: BotToken): Recorded | undefined {
  const record = recordOf(token);
  if (record === 'unknown') throw new Error('a record that its writer cannot read');
  return record;
}

/**
 * Everything calm: watches catch up, no write fails, other controllers do their part, and time passes only as far as a retry
 * is written down for. Throws when it does not come to rest.
 */
export function settle(server: ApiServer, operators: readonly Operator[]): void {
  let calm = 0;
  // A pass that has begun may rest on what it read before: only the one after it says that there is nothing to do.
  for (let round = 0; calm < 2; round++) {
    if (round > 50) throw new Error('did not come to rest');
    calm = lookRound(server, operators) ? calm + 1 : 0;
    if (calm === 2 && waitsForConsumers(server)) calm = 0;
    const retry = Date.parse(server.token?.status?.retry?.at ?? '');
    if (calm === 2 && retry > server.time.getTime()) {
      server.time = new Date(retry);
      calm = 0;
    }
  }
}

/** An open roll-out: the workload comes, its pods are rolled, and where that is not enough, time passes until it is given up. */
function waitsForConsumers(server: ApiServer): boolean {
  const rollout = server.token && openRollout(server.token);
  const { workload, time } = server;
  if (rollout === undefined || Date.parse(rollout.givesUpAt) <= time.getTime()) return false;
  if (workload === undefined) server.replaceWorkload();
  else if (progressOf('Deployment', workload) !== 'rolled') server.rollWorkload();
  else server.time = new Date(rollout.givesUpAt);
  return true;
}

/** Everybody looks until they rest. True when nothing was to be done. */
function lookRound(server: ApiServer, operators: readonly Operator[]): boolean {
  const { token, botUser, secret } = server;
  for (const operator of operators) {
    for (const kind of ['token', 'botUser', 'secret'] as const) operator.hear(kind);
    pass(operator);
  }
  server.releaseBotUser();
  server.collectGarbage();
  return token === server.token && botUser === server.botUser && secret === server.secret;
}

function pass(operator: Operator): void {
  // As many steps as the controller allows.
  for (let steps = 0; steps < 24; steps++) if (operator.step() !== 'acts') return;
  throw new Error('a pass did not come to rest');
}
