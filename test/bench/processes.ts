import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

// What /proc counts processor time in: USER_HZ, which is 100 on every Linux.
const ticksPerSecond = 100;

/** Seconds of processor time that a process has used so far, user and system, in all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program stands in parentheses and may hold anything; after it, fields 14 and 15 are what counts.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory (VmRSS) in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has no resident memory`);
  return Number(kilobytes) * 1024;
}

/** The machine that the figures come from, in one line. */
export function machine(): string {
  const [first] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}`,
    `${gigabytes} GiB`,
    `${process.platform} ${release().split('-')[0]}`, // what stands behind it is the build
    `Node ${process.version}`,
  ].join(', ');
}
