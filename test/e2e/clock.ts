// Loaded with `node --import` before the operator: shifts its wall clock by BOTMINT_TEST_CLOCK_MS, and by what the test tells it
// later. Production code knows nothing of it; timers and the monotonic clock stay as they are.
let offset = Number(process.env.BOTMINT_TEST_CLOCK_MS ?? 0);

process.on('message', (message: { clockMilliseconds: number }) => {
  offset = message.clockMilliseconds;
  process.send?.({ clockMilliseconds: offset });
});
// It must not keep the process alive.
process.channel?.unref();

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
