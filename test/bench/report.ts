/** One line of the table. */
export interface Row {
  figure: string;
  botmint: string;
  floor?: string | undefined;
  ratio?: string | undefined;
  goal?: string | undefined;
  /** cert-manager 1.21, measured on two cores where the floor was 320 objects a second. */
  peer?: string | undefined;
}

const heads = ['figure', 'botmint', 'floor', 'ratio', 'goal', 'cert-manager 1.21'];

export function ratio(value: number, floor: number): string {
  return (value / floor).toFixed(2);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The table in Markdown. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(row => [row.figure, row.botmint, row.floor, row.ratio, row.goal, row.peer]);
  const line = (cells: readonly (string | undefined)[]) => `| ${cells.map(cell => cell ?? '').join(' | ')} |`;
  return [line(heads), `| --- |${' ---: |'.repeat(4)} --- |`, ...lines.map(line)].join('\n');
}

const begin = '<!-- bench: begin -->';
const end = '<!-- bench: end -->';

/** The page with what stands between its two marks replaced. */
export function withFigures(page: string, figures: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no '${begin}' with a '${end}' after it`);
  return `${page.slice(0, from)}${begin}\n${figures}\n${page.slice(to)}`;
}
