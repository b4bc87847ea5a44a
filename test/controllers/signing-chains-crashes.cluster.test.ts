import { expect, test } from 'vitest';
import { z } from 'zod';
import { retireKeyAnnotation } from '../../src/api/names.ts';
import { readBundle, signedBy } from '../../src/issuers/registry/authorities.ts';
import { Killed, RegistryPlace } from './registry-place.ts';

// A chain is written in several steps: its two Secrets and the status. Here who reconciles is killed after each.

const lose = (place: RegistryPlace, part: 'ca' | 'leaf') => place.api.delete(place.secretPath(part));
const pass = (days: number) => (place: RegistryPlace) => Promise.resolve(place.calendar.passDays(days));
const retire = async (place: RegistryPlace, count: number) => {
  const { status } = await place.issuer();
  const names = status?.rootCertFingerprints?.slice(0, count).join();
  await place.api.patch(place.path, { metadata: { annotations: { [retireKeyAnnotation]: names } } });
};
const settle = async (place: RegistryPlace) => void (await (await place.replica()).reconcile());
const withSuccessor = async (place: RegistryPlace) => {
  await settle(place);
  place.calendar.passDays(3650 - 729);
  await settle(place);
};
const nothing = () => Promise.resolve();

interface Case {
  before: (place: RegistryPlace) => Promise<void>;
  happening: (place: RegistryPlace) => Promise<unknown>;
  /** Which registries a process that starts at any time has a key for. */
  believedBy: 'those of before' | 'those of now' | 'nobody for a moment';
}

test.each<[string, Case]>([
  ['a new issuer', { before: nothing, happening: nothing, believedBy: 'nobody for a moment' }],
  ['a CA that was lost', { before: settle, happening: place => lose(place, 'ca'), believedBy: 'those of before' }],
  [
    'a leaf that was lost',
    { before: settle, happening: place => lose(place, 'leaf'), believedBy: 'nobody for a moment' },
  ],
  [
    'both lost',
    {
      before: settle,
      happening: place => Promise.all([lose(place, 'ca'), lose(place, 'leaf')]),
      believedBy: 'nobody for a moment',
    },
  ],
  ['a leaf that is due', { before: settle, happening: pass(61), believedBy: 'those of before' }],
  ['a CA that needs a successor', { before: settle, happening: pass(3650 - 729), believedBy: 'those of before' }],
  ['a CA that hands over', { before: withSuccessor, happening: pass(365), believedBy: 'those of before' }],
  ['a CA that nobody looked after', { before: settle, happening: pass(3650 - 100), believedBy: 'those of now' }],
  ['a CA that has leaked', { before: settle, happening: place => retire(place, 1), believedBy: 'nobody for a moment' }],
  [
    'a CA that has leaked, with a successor',
    { before: withSuccessor, happening: place => retire(place, 1), believedBy: 'those of before' },
  ],
  [
    'a CA that has leaked together with its successor',
    { before: withSuccessor, happening: place => retire(place, 2), believedBy: 'nobody for a moment' },
  ],
])(
  '%s: whenever who reconciles is killed, the next one comes to the same end',
  async (_, { before, happening, believedBy }) => {
    const run = async (writes?: number) => {
      const place = await RegistryPlace.make();
      await before(place);
      const old = await place.bundle();
      await happening(place);
      const first = await place.replica(writes === undefined ? {} : { writes });
      if (writes !== undefined) {
        await expect(first.reconcile()).rejects.toThrow(Killed);
        await first.deafen();
        await holds(place, old, believedBy);
      }
      const last = writes === undefined ? first : await place.replica();
      await last.reconcile();
      await holds(place, old, believedBy === 'nobody for a moment' ? 'those of now' : believedBy);
      return { writes: first.client.writes, end: await endOf(place, old) };
    };
    const clean = await run();
    expect(clean.writes).toBeGreaterThan(0);
    const kills = Array.from({ length: clean.writes }, (__, index) => index + 1);
    const ends = await Promise.all(kills.map(async writes => ({ writes, ...(await run(writes)).end })));
    expect(ends).toEqual(kills.map(writes => ({ writes, ...clean.end })));
  },
);

/** Whom a process that starts now signs for. Nothing is ever signed that a registry with the bundle of the moment refuses. */
async function holds(place: RegistryPlace, old: readonly string[], believedBy: Case['believedBy']): Promise<void> {
  const { signer, deafen } = await place.replica();
  const signing = signer();
  if (signing !== undefined || believedBy !== 'nobody for a moment')
    expect(await place.signedBy(signing, await place.bundle())).toBeGreaterThanOrEqual(0);
  if (believedBy === 'those of before') expect(await place.signedBy(signing, old)).toBeGreaterThanOrEqual(0);
  await deafen();
}

/** What a chain has come to, without what is random in it. */
async function endOf(place: RegistryPlace, old: readonly string[]) {
  const [ca, leaf, { status }] = [await place.secret('ca'), await place.secret('leaf'), await place.issuer()];
  const bundle = readBundle(status?.rootCertBundle);
  const at = (authority: string | undefined) => bundle.findIndex(({ certificate }) => certificate === authority);
  return {
    ready: await place.ready(),
    bundle: bundle.map(({ certificate }) => old.indexOf(certificate)),
    withdrawn: status?.withdrawnKeys?.map(({ kid }) =>
      readBundle(old.join('')).findIndex(({ fingerprint }) => fingerprint === kid),
    ),
    current: at(certificateIn(ca, 'tls.crt')),
    next: at(certificateIn(ca, 'next.crt')),
    leaf: at(signedBy(certificateIn(leaf, 'tls.crt'), bundle)?.certificate),
  };
}

function certificateIn(secret: { [field: string]: unknown }, key: string): string {
  const data = z.record(z.string(), z.string()).parse(secret.data);
  return Buffer.from(data[key] ?? '', 'base64').toString();
}
