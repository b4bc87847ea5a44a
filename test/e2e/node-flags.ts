import { join } from 'node:path';

/**
 * How Node runs the operator, in tests and benchmarks as in deploy/ and in `npm run operator`. At rest it keeps little young
 * memory: the default lets that grow to three times 16 MiB and never gives it back.
 */
export const nodeFlags = ['--max-semi-space-size=4'];

/** Where Node keeps what it has compiled, as behind every npm command. */
export const compileCache =
  process.env.NODE_COMPILE_CACHE ?? join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'compile');
