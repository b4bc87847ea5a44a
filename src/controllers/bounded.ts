/**
 * Does something for each of many, so many at a time. Each begins whatever becomes of the others; when all have ended, the
 * first error is thrown.
 */
export async function eachOf<T>(of: readonly T[], mostAtOnce: number, work: (each: T) => Promise<void>): Promise<void> {
  const waiting = of.values();
  const errors: unknown[] = [];
  const worker = async () => {
    for (const each of waiting) await work(each).catch((error: unknown) => errors.push(error));
  };
  await Promise.all(Array.from({ length: Math.min(mostAtOnce, of.length) }, worker));
  if (errors.length > 0) throw errors[0];
}
