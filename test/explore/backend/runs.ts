import { type Backend, commonEvents, firstVersion, protocol, type Rules } from './rules.ts';

/** One exploration: of the corrected protocol, which has to hold, or of a known wrong way, which has to be found. */
export interface Run {
  name: string;
  rules: Rules;
  /** What the earlier model counted for the same kind of run, in states. */
  yardstick?: number;
  /** A wrong way: the violation that has to be found. */
  wrong?: RegExp;
}

const backends: readonly Backend[] = ['none', 'many', 'patched', 'replaced'];
/** As the earlier model and the design call them. */
export const titles: { readonly [Name in Backend]: string } = {
  none: 'jwt, registry',
  many: 'buf, harbor with overlap',
  patched: 'harbor by PATCH',
  replaced: 'harbor with overlap 0s',
  alternating: 'harbor, two names in turn',
};

/** The runs of the earlier model: no violation, and not fewer states. */
export const yardsticks: readonly Run[] = [
  ...each('1 operator, crashes, 3 events, no sweep', [8_686, 120_560, 53_752, 57_586], {
    operators: 1,
    events: 3,
    sweep: false,
    revisionBound: 4,
  }),
  ...each('2 operators, any delay, 2 events, bound 4', [29_857, 988_296, 566_078, 568_768], { revisionBound: 4 }),
  ...each('2 operators, any delay, 3 events, bound 3', [265_451, 1_937_976, 1_129_357, 1_105_196], { events: 3 }),
  ...each('3 operators, 1 event', [12_051, 293_000, 269_000, 246_000], { operators: 3, events: 1 }),
  ...each('finalizer off, status wiped, old Secret back', [55_000, 800_000, 508_000, 409_000], {
    kinds: {
      ...commonEvents,
      'takes off the finalizer': 1,
      'restores an empty status': 1,
      'restores the Secret before': 1,
    },
    checks: ['end'],
  }),
];

function each(name: string, counts: readonly number[], change: Partial<Rules>): Run[] {
  return backends.map((backend, i) => {
    const yardstick = counts[i] ?? 0;
    return { name: `${name}: ${titles[backend]}`, rules: protocol(backend, change), yardstick };
  });
}

const lifeEvents: Rules['kinds'] = {
  'deletes the Secret': 1,
  'deletes the object': 1,
  'creates the object again': 1,
  'changes the spec': 1,
};

/** What the earlier model left out. */
export const more: readonly Run[] = (['many', 'replaced'] as const).flatMap(backend => {
  const run = (name: string, change: Partial<Rules>) => ({
    name: `${name}: ${titles[backend]}`,
    rules: protocol(backend, { waitsForHolders: true, ...change }),
  });
  return [
    run('disabled and enabled', {
      kinds: { ...lifeEvents, 'disables the bot': 1, 'brings the bot back': 1 },
      events: 3,
    }),
    run('the bot is deleted and made again', {
      kinds: { ...lifeEvents, 'deletes the bot': 1, 'brings the bot back': 1 },
      events: 3,
    }),
    run('credentials expire', { kinds: { ...lifeEvents, 'lets the credentials expire': 2 }, events: 3 }),
    run('the issuer is deleted', {
      kinds: { ...lifeEvents, revokes: 1, 'deletes the issuer': 1 },
      events: 3,
      checks: ['I1', 'I6', 'end'],
    }),
    run('the backend does not answer', {
      kinds: { ...lifeEvents, revokes: 1, 'deletes the credential at the backend': 1 },
      outages: true,
      events: 3,
      checks: ['I1', 'end'],
    }),
    run('sweeps beside live operators', {
      sweepRuns: true,
      kinds: { ...lifeEvents, revokes: 1 },
      checks: ['I1', 'I3', 'end'],
    }),
  ];
});

const nothing: Partial<Rules> = { events: 0, crashes: false, endOnlyIdle: true, inputsFromSecret: true };

/** The known wrong ways of the design, by their numbers, and each rule of the corrected protocol taken out. */
export const wrongWays: readonly Run[] = [
  wrong('V1 shared intent, secret set by PATCH', /dead credential/, firstVersion('patched', nothing)),
  wrong('V2 shared intent, delete the same mark, then create', /dead credential/, firstVersion('many', nothing)),
  wrong('V2 shared intent, two under one mark', /more than one/, firstVersion('many', nothing)),
  wrong(
    'V3 deletion while another holds a reservation',
    /object is gone/,
    firstVersion('many', only('deletes the object')),
  ),
  wrong('V3 revocation while another holds a reservation', /revoked/, firstVersion('many', only('revokes'))),
  wrong('V4 token id from UID and revision', /I1/, {
    ...firstVersion('none', only('deletes the Secret')),
    operators: 1,
    inputsFromSecret: true,
  }),
  wrong('V5 records the spec of the moment', /old inputs/, {
    ...firstVersion('none', only('changes the spec')),
    operators: 1,
  }),
  wrong('V6 stalled on a foreign Secret with a reservation open', /orphan/, {
    ...firstVersion('many', only('creates a foreign Secret')),
    operators: 1,
  }),
  wrong(
    'V7 re-issues while another records',
    /names another credential/,
    firstVersion('many', only('deletes the Secret')),
  ),
  wrong('V8 two names in turn, revoked by name', /I3: by name/, {
    ...firstVersion('alternating', only('changes the spec', 2)),
    inputsFromSecret: true,
    revokesByName: true,
    checks: [],
  }),
  wrong('V9 verifier only in the status, after the Secret', /does not work/, {
    ...protocol('none', { operators: 1, events: 0, checks: ['secret works'] }),
    verifierInStatus: true,
  }),
  wrong(
    'V10 Retain: a dead object’s Secret is not taken over',
    /another UID/,
    protocol('many', { garbageCollector: false }),
  ),
  without('exclusive reservations', /I1/, 'many', { exclusive: false }),
  without('sweep before record', /more than one/, 'many', { sweepBeforeRecord: false, sweep: false, operators: 1 }),
  without('sweep', /orphan/, 'many', { sweep: false }),
  without('close on a foreign Secret', /orphan/, 'many', { closeOnForeign: false, sweep: false, operators: 1 }),
  without('live GET before lost', /I5/, 'many', { liveRead: false }),
  without('inputs from the Secret', /old inputs/, 'many', { inputsFromSecret: false }),
  without('Secret precondition', /I9/, 'many', { secretPrecondition: false }),
  without('record compare-and-swap', /I1/, 'many', { recordPrecondition: false }),
  without('look at the UID first', /I7/, 'replaced', { uidCheck: false }),
  without('waiting for earlier holders', /I6/, 'many', {
    kinds: { ...lifeEvents, 'deletes the issuer': 1 },
    checks: ['I6'],
  }),
  without('recording before a disabled bot’s credentials are revoked', /I3/, 'many', {
    recordsFirst: false,
    events: 3,
    kinds: { 'changes the spec': 1, 'disables the bot': 1, 'brings the bot back': 1 },
  }),
  without('Revocation at an outage', /does not answer/, 'many', {
    revocations: false,
    outages: true,
    kinds: { 'deletes the object': 1 },
  }),
];

function only(kind: keyof Rules['kinds'], times: 1 | 2 = 1): Partial<Rules> {
  return { kinds: { [kind]: times }, events: times };
}

function wrong(name: string, says: RegExp, rules: Rules): Run {
  return { name, wrong: says, rules };
}

function without(rule: string, says: RegExp, backend: Backend, change: Partial<Rules>): Run {
  return wrong(`without ${rule}`, says, protocol(backend, change));
}
