import { parseArgs } from 'node:util';
import { type LogFormat, type LogLevel, logFormats, logLevels } from './log.ts';

/** How the operator is started. Anything about issuing is in the kinds, never here. */
export interface Flags {
  kubeconfig: string | undefined;
  namespace: string;
  listen: string;
  'metrics-listen': string;
  concurrency: number;
  shards: number;
  'log-level': LogLevel;
  'log-format': LogFormat;
}

interface Flag {
  says: string;
  fallback: string | undefined;
  /** Throws with what would be right. */
  parse: (text: string) => string | number;
}

const texts = (says: string, fallback: string | undefined): Flag => ({ says, fallback, parse: text => text });

const flags: Record<keyof Flags, Flag> = {
  kubeconfig: texts('Path of a kubeconfig. Left out: $KUBECONFIG, in a Pod its ServiceAccount.', undefined),
  namespace: texts("The operator's own namespace: keys, certificates and Leases are there.", 'botmint-system'),
  listen: texts(
    'Address of the TLS endpoints (discovery, JWKS, status lists, introspection, tokens of registries).',
    ':8443',
  ),
  'metrics-listen': texts('Address of /healthz, /readyz and /metrics, plain HTTP.', ':8080'),
  concurrency: { says: 'How many objects of a kind are worked on at once.', fallback: '16', parse: numberIn(1, 256) },
  shards: {
    says: 'Into how many shards the first start splits the work. Recorded then; later starts keep to the record.',
    fallback: '8',
    parse: numberIn(1, 256),
  },
  'log-level': { says: `One of ${logLevels.join(', ')}.`, fallback: 'info', parse: oneOf(logLevels) },
  'log-format': { says: `One of ${logFormats.join(', ')}.`, fallback: 'json', parse: oneOf(logFormats) },
};

/** A flag or an environment variable that cannot be used; the message names it and what would be right. */
export class FlagInvalid extends Error {
  override readonly name = 'FlagInvalid';
}

/** Flags first, then the environment (`BOTMINT_<NAME>`), then the defaults. `help`: somebody asked for the list. */
export function parseFlags(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Flags | 'help' {
  const given = valuesOf(args);
  if (given.help === true) return 'help';
  const entries = Object.entries(flags).map(([name, flag]) => {
    const text = given[name] ?? environment[variableOf(name)] ?? flag.fallback;
    return [name, typeof text === 'string' ? parsed(name, flag, text) : undefined];
  });
  return Object.fromEntries(entries);
}

function valuesOf(args: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(Object.keys(flags).map(name => [name, { type: 'string' as const }]));
  try {
    return parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean', short: 'h' } } }).values;
  } catch (error) {
    throw new FlagInvalid(`${error instanceof Error ? error.message : 'unreadable flags'}; --help lists them`);
  }
}

function parsed(name: string, flag: Flag, text: string): string | number {
  try {
    return flag.parse(text);
  } catch (error) {
    const what = error instanceof Error ? error.message : '';
    throw new FlagInvalid(`--${name} (or ${variableOf(name)}) must be ${what}, not ${JSON.stringify(text)}`);
  }
}

function variableOf(name: string): string {
  return `BOTMINT_${name.toUpperCase().replaceAll('-', '_')}`;
}

function numberIn(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new Error(`a whole number from ${least} to ${most}`);
  };
}

function oneOf(allowed: readonly string[]): (text: string) => string {
  return text => {
    if (allowed.includes(text)) return text;
    throw new Error(`one of ${allowed.join(', ')}`);
  };
}

/** What `--help` prints. */
export function helpText(): string {
  const lines = Object.entries(flags).map(([name, { says, fallback }]) => {
    const without = fallback === undefined ? '' : ` (default ${fallback})`;
    return `  --${name.padEnd(16)} ${says}${without}`;
  });
  return [
    'botmint: turns BotUser, BotToken and RobotAccount manifests into credentials in Secrets',
    '',
    ...lines,
    '',
    `Each is also an environment variable, such as ${variableOf('log-level')}.`,
  ].join('\n');
}
