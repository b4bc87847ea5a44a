import { join } from 'node:path';
import { type Cost, costOf, type OperatorCost, operatorCost } from './cost.ts';
import type { Template } from './floor.ts';
import { FloorClient } from './floor-client.ts';
import type { SeenStatus } from './follow.ts';
import type { Ground } from './ground.ts';
import { issuedWave } from './issued-wave.ts';
import { warmSingles } from './latency.ts';
import type { MeasuredOperator } from './measured-operator.ts';
import { clear, makeNamespaces } from './objects.ts';
import type { Sizes } from './options.ts';
import type { Row } from './report.ts';
import { busyRows, endRows, rotationRows } from './rotation-rows.ts';
import { issuedTokens, learnRotation } from './rotation-template.ts';
import { applySingles, type Single } from './singles.ts';
import { due, isOverlapOver, isRotatedTo, turnClock, warmTokens, waveTokens } from './turns.ts';
import { type Span, Wave } from './wave.ts';

interface Setting {
  ground: Ground;
  sizes: Sizes;
  say: (line: string) => void;
  /** Where a CPU profile goes. */
  profile: string | undefined;
}

/** What one side has spent: on the rotations, and later on the ends of their overlaps. */
interface Sides<C extends Cost> {
  rotation: C;
  end: C;
}

/** All tokens of a wave are due for renewal at once: how fast that goes, and what it does to first issues meanwhile. */
export async function measureRotation(of: Setting): Promise<Row[]> {
  const { ground, sizes, say } = of;
  const { wave } = sizes;
  say('rotation: the bare client learns what the operator writes');
  const template = await learnRotation(ground);
  say(`rotation: the bare client rotates ${wave} tokens, and ends their overlaps`);
  const floor = await floorSide(of, template);
  const namespaces = await makeNamespaces(ground.api, 'rotation', 2);
  const [waved = '', single = ''] = namespaces;
  const operator = await ground.operator({ movableClock: true });
  const waves = { operator, namespace: waved, pilotIn: single };
  const own = await operatorSide(of, waves);
  const rows = [...rotationRows(wave, floor.rotation, own.rotation), ...endRows(wave, floor.end, own.end)];
  const { quiet, busy } = await firstIssues(of, waves);
  await operator.stop();
  await clear(ground.api, namespaces);
  return [...rows, ...busyRows(wave, quiet, busy)];
}

// The bare client ------------------------------------------------------------------------------------------------

async function floorSide(of: Setting, template: Template): Promise<Sides<Cost>> {
  const { ground, sizes } = of;
  const namespaces = await makeNamespaces(ground.api, 'floor-rotation', 1);
  await using client = new FloorClient(ground.kubeconfig, template);
  const issue = client.issue.bind(client);
  await issuedWave({ ground, name: 'floor-warm', namespaces, count: sizes.warmUp }, issue);
  await issuedWave({ ground, name: 'floor', namespaces, count: sizes.wave }, issue);
  await floorTurn(of, client, { wave: 'floor-warm', count: sizes.warmUp, turn: 'rotate' });
  await floorTurn(of, client, { wave: 'floor-warm', count: sizes.warmUp, turn: 'endOverlap' });
  const rotation = await floorTurn(of, client, { wave: 'floor', count: sizes.wave, turn: 'rotate' });
  const end = await floorTurn(of, client, { wave: 'floor', count: sizes.wave, turn: 'endOverlap' });
  await clear(ground.api, namespaces);
  return { rotation, end };
}

async function floorTurn(
  { ground }: Setting,
  client: FloorClient,
  { wave, count, turn }: { wave: string; count: number; turn: 'rotate' | 'endOverlap' },
): Promise<Cost> {
  const tokens = await issuedTokens(ground.api, wave);
  const isRecorded = turn === 'rotate' ? isRotatedTo(2) : isOverlapOver;
  await using seen = await Wave.open(ground.plane.kubeconfigPath, wave, isRecorded);
  const [used, served] = [client.cpuSeconds, ground.serverCPUSeconds];
  await client[turn](tokens);
  const spent = [client.cpuSeconds - used, ground.serverCPUSeconds - served];
  return costOf(count, await seen.recorded(count), spent);
}

// The operator ---------------------------------------------------------------------------------------------------

interface Waves {
  operator: MeasuredOperator;
  namespace: string;
  /** Where a token is applied that makes the operator look at its clock. */
  pilotIn: string;
}

/** What is waited for after the clock has been turned. */
interface Turn {
  wave: string;
  count: number;
  clock: number;
  isRecorded: (status: SeenStatus) => boolean;
}

async function operatorSide(of: Setting, waves: Waves): Promise<Sides<OperatorCost>> {
  const { ground, sizes, say, profile } = of;
  const { operator } = waves;
  const namespaces = [waves.namespace];
  say(
    `rotation: the operator issues ${sizes.wave} tokens that will be due at once, and rotates ${sizes.warmUp} others`,
  );
  const warm = { wave: 'rotation-warm', count: sizes.warmUp };
  await issuedWave({ ground, name: warm.wave, namespaces, count: warm.count, wished: warmTokens });
  await issuedWave({ ground, name: 'rotation', namespaces, count: sizes.wave, wished: waveTokens });
  await turned(of, waves, { ...warm, clock: due.warm, isRecorded: isRotatedTo(2) });
  await turned(of, waves, { ...warm, clock: due.warmEnd, isRecorded: isOverlapOver });
  await operator.quiet();
  const measured = (turn: Turn) =>
    operatorCost({ ground, operator, count: sizes.wave }, start => {
      const file = profile && join(profile, `${turn.clock === due.wave ? 'rotation' : 'overlap-end'}.cpuprofile`);
      return operator.profiled(file, () => turned(of, waves, turn, start));
    });
  const wave = { wave: 'rotation', count: sizes.wave };
  say(`rotation: the clock is turned, ${sizes.wave} tokens are due`);
  const rotation = await measured({ ...wave, clock: due.wave, isRecorded: isRotatedTo(2) });
  say('rotation: the clock is turned, their overlaps are over');
  return { rotation, end: await measured({ ...wave, clock: due.waveEnd, isRecorded: isOverlapOver }) };
}

/** Turns the operator's clock, and waits until a wave of tokens has got where that brings it. */
async function turned({ ground }: Setting, waves: Waves, turn: Turn, start: () => void = () => {}): Promise<Span> {
  await using seen = await Wave.open(ground.plane.kubeconfigPath, turn.wave, turn.isRecorded);
  start();
  await turnClock(ground.api, waves.operator, { clock: turn.clock, namespace: waves.pilotIn });
  return await seen.recorded(turn.count);
}

/** Single tokens while nothing else is to do, and while the wave rotates once more. */
async function firstIssues(of: Setting, waves: Waves): Promise<{ quiet: Single[]; busy: Single[] }> {
  const { ground, sizes, say } = of;
  const namespace = waves.pilotIn;
  const seconds = Math.round(sizes.singles / sizes.perSecond);
  say(`rotation: the operator serves ${sizes.perSecond} single tokens a second for ${seconds} s`);
  const quiet = await warmSingles(sizes, { ground, namespace, prefix: 'quiet' });
  say(`rotation: the same while ${sizes.wave} tokens rotate`);
  await using seen = await Wave.open(ground.plane.kubeconfigPath, 'rotation', isRotatedTo(3));
  const isEnough = () => seen.size === sizes.wave;
  const { perSecond } = sizes;
  const singles = applySingles({ ground, namespace, prefix: 'busy', perSecond, isEnough });
  await turnClock(ground.api, waves.operator, { clock: due.waveAgain, namespace });
  const [all, { from, to }] = await Promise.all([singles, seen.recorded(sizes.wave)]);
  return { quiet, busy: all.filter(({ sentAt }) => sentAt >= from && sentAt <= to) };
}
