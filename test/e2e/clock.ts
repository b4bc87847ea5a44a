// Loaded with `node --import` before the operator: shifts its wall clock by BOTMINT_TEST_CLOCK_MS. Production code knows
// nothing of it; timers and the monotonic clock stay as they are.
const offset = Number(process.env.BOTMINT_TEST_CLOCK_MS ?? 0);

const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args: [] | [number | string | Date]) {
    if (args.length === 0) super(RealDate.now() + offset);
    else super(...(args as [number]));
  }

  static override now(): number {
    return RealDate.now() + offset;
  }
} as DateConstructor;
