/** How often something was called, by `verb resource`, for example `patch bottokens`. */
export type Calls = ReadonlyMap<string, number>;

/** The operator's own count of its requests to the API server, out of its metrics page. */
export function callsOf(metricsText: string): Calls {
  const calls = new Map<string, number>();
  for (const [, labels = '', value] of metricsText.matchAll(/^botmint_api_calls_total\{([^}]*)\} (\d+)/gm)) {
    const name = `${labelOf(labels, 'verb')} ${labelOf(labels, 'resource')}`;
    calls.set(name, (calls.get(name) ?? 0) + Number(value));
  }
  return calls;
}

/** What has been called since, without what never stops: Leases and watches. */
export function workSince(before: Calls, after: Calls): Calls {
  const work = new Map<string, number>();
  for (const [name, count] of after) {
    const more = count - (before.get(name) ?? 0);
    if (more > 0 && !isBackground(name)) work.set(name, more);
  }
  return work;
}

export function total(calls: Calls): number {
  return [...calls.values()].reduce((sum, count) => sum + count, 0);
}

/** Those that change something at the API server. */
export function writes(calls: Calls): Calls {
  return new Map([...calls].filter(([name]) => /^(create|patch|apply|delete) /.test(name)));
}

/** How many calls each of so many objects took, without what is rare: `2.00 patch bottokens, 1.00 create events`. */
export function perObject(calls: Calls, count: number): string {
  const often = [...calls].filter(([, number]) => number >= count / 100);
  return often.map(([name, number]) => `${(number / count).toFixed(2)} ${name}`).join(', ');
}

function isBackground(name: string): boolean {
  return name.startsWith('watch ') || name.endsWith(' leases');
}

function labelOf(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
}
