import type { Result } from './pool.ts';

/** The results as a table in Markdown, and what they add up to. */
export function tableOf(results: readonly Result[]): string {
  const rows = results.map(({ run, report }) => {
    const { states, transitions, seconds, violation } = report;
    const end =
      violation === undefined
        ? report.complete
          ? 'no violation'
          : 'no violation in the nearest ones'
        : foundIn(violation);
    return [run.group, run.name, count(states), count(run.yardstick), count(transitions), seconds.toFixed(1), end];
  });
  const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
  const states = sum(({ report }) => report.states);
  const transitions = sum(({ report }) => report.transitions);
  const seconds = sum(({ report }) => report.seconds);
  rows.push(['', '**all**', count(states), '', count(transitions), seconds.toFixed(1), '']);
  const head = ['', 'run', 'states', 'earlier model', 'transitions', 'CPU s', 'end'];
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

function foundIn({ says, path }: { says: string; path: readonly string[] }): string {
  return `${says} (${path.length} steps)`;
}

function count(number: number | undefined): string {
  return number === undefined ? '' : number.toLocaleString('en');
}

/** The shortest path to a violation, one step a line. */
export function pathOf({ run, report }: Result): string {
  const { violation } = report;
  if (violation === undefined) return '';
  return [`${run.name}: ${violation.says}`, ...violation.path.map((step, i) => `  ${i + 1}. ${step}`)].join('\n');
}

/** What is not as it should be: a violation of what has to hold, a wrong way that was not found, fewer states than before. */
export function failures(results: readonly Result[], { full }: { full: boolean }): string[] {
  return results.flatMap(result => {
    const { run, report } = result;
    if (run.wrong !== undefined) {
      const found = report.violation !== undefined && run.wrong.test(report.violation.says);
      return found ? [] : [`${run.name}: the explorer did not find it`];
    }
    if (report.violation !== undefined) return [pathOf(result)];
    const isBounded = full && (run.group === 'token' || run.group === 'robot');
    if (!report.complete && !isBounded) return [`${run.name}: not complete`];
    const fewer = run.yardstick !== undefined && report.states < run.yardstick;
    return fewer ? [`${run.name}: ${report.states} states, fewer than ${run.yardstick}`] : [];
  });
}
