import { describe, expect, test } from 'vitest';

// What every issuer promises whose credentials are live by what botmint has written down (DESIGN section 3, "pure issuers"),
// asked through the eyes of whoever checks a credential. An issuer comes with one adapter; the rules are the same for all.

/** A credential of one revision; what it is made of is the adapter's business. */
export interface Minted<Made> {
  revision: number;
  made: Made;
}

/** What is known when somebody shows a credential. Everything that is left out is as it is in the healthy case. */
export interface Situation<Made> {
  /** What the status records as in force. */
  recorded?: Minted<Made> | undefined;
  /** What it records as superseded, and until when each works. */
  previous?: readonly (Minted<Made> & { until: Date })[];
  /** What the annotations of the Secret say, and of whom. */
  inSecret?: Minted<Made> & { owner?: string };
  object?: 'deleting' | 'another' | 'gone';
  principal?: 'disabled' | 'ended';
  issuer?: 'another' | 'gone';
}

export interface ContractedIssuer<Made> {
  /** A credential for the revision. Two calls for one revision give two credentials. */
  mint(revision: number): Promise<Minted<Made>>;
  /** Whether the credential is let in at this time. */
  admits(shown: Minted<Made>, seen: Situation<Made>, now: Date): Promise<boolean>;
}

/** A time in the life of what `mint` makes. */
export const now = new Date('2026-12-01T00:00:00Z');
const second = (seconds: number) => new Date(now.getTime() + seconds * 1000);

/** Holds an issuer to the contract. */
export function holdToContract<Made>(name: string, open: () => Promise<ContractedIssuer<Made>>): void {
  describe(`the contract of issuers: ${name}`, async () => {
    const issuer = await open();
    const [old, inForce, again, next] = await Promise.all([2, 3, 3, 4].map(revision => issuer.mint(revision)));
    if (!old || !inForce || !again || !next) throw new Error('nothing was minted');
    const healthy: Situation<Made> = { recorded: inForce, inSecret: inForce };

    test.each<[string, Minted<Made>, Situation<Made>, boolean]>([
      ['the recorded one', inForce, {}, true],
      ['the recorded one, its Secret lost', inForce, { inSecret: { ...inForce, owner: 'nobody' } }, true],
      ['a superseded one in its overlap', old, { previous: [{ ...old, until: second(1) }] }, true],
      ['a superseded one whose overlap ends now', old, { previous: [{ ...old, until: second(0) }] }, false],
      ['a superseded one without overlap', old, {}, false],
      ['a superseded one that somebody put back into the Secret', old, { inSecret: old }, false],
      ['another one of the recorded revision', again, {}, false],
      ['another one of the recorded revision, in the Secret', again, { inSecret: again }, false],
      ['the next one, in the Secret and still to be recorded', next, { inSecret: next }, true],
      ['the one before it, until it is recorded', inForce, { inSecret: next }, true],
      ['the next one, in no Secret', next, {}, false],
      ['the next one, in a Secret of another object', next, { inSecret: { ...next, owner: 'another' } }, false],
      ['the very first, in the Secret and still to be recorded', next, { recorded: undefined, inSecret: next }, true],
      ['one whose object is being deleted', inForce, { object: 'deleting' }, false],
      ['one in the Secret whose object is being deleted', next, { object: 'deleting', inSecret: next }, false],
      ['one whose object was made anew under the same name', inForce, { object: 'another' }, false],
      ['one whose object is gone', inForce, { object: 'gone' }, false],
      ['one of a principal that is disabled', inForce, { principal: 'disabled' }, false],
      ['one of a principal that has ended', inForce, { principal: 'ended' }, false],
      ['one of an issuer that is gone', inForce, { issuer: 'gone' }, false],
      ['one of an issuer that was made anew under the same name', inForce, { issuer: 'another' }, false],
    ])('%s', async (_, shown, change, expected) => {
      expect(await issuer.admits(shown, { ...healthy, ...change }, now)).toBe(expected);
    });

    test('one past its own end is not let in, whatever is recorded', async () => {
      expect(await issuer.admits(inForce, healthy, new Date('2027-01-29T23:59:59Z'))).toBe(true);
      expect(await issuer.admits(inForce, healthy, new Date('2027-01-30T00:00:00Z'))).toBe(false);
    });

    test('nothing that was minted shows itself as text', () => {
      expect(`${JSON.stringify(inForce)} ${String(inForce.made)}`).not.toMatch(/bmr_|eyJ/);
    });
  });
}
