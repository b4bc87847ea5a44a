import type { Inputs } from '../api/inputs.ts';
import { SecretValue } from '../base/secret-value.ts';

/** One key of the Secret and how its value is made: `secret.data[]`. */
export interface Entry {
  key: string;
  template?: string | undefined;
  format?: string | undefined;
}

/** What templates and formats can show of a credential. */
export interface Credential {
  token: SecretValue;
  tokenID: string;
  username: string;
  issuedAt: string;
  /** Left out for a credential that never ends. */
  expiresAt?: string | undefined;
  /** Where it is shown, for the formats that name it. */
  host?: string | undefined;
  /** Its number at its issuer, where that counts, and since when it has that. */
  id?: number | undefined;
  createdAt?: string | undefined;
}

/** What templates and formats can show of a credential, but for the credential, from what is recorded of it. */
export function knownOf(tokenID: string, inputs: Inputs): Omit<Credential, 'token'> {
  const { username, issuedAt, expiresAt } = inputs;
  const known = { tokenID, username, issuedAt, expiresAt };
  if (inputs.robot === undefined) return known;
  const { id, createdAt } = inputs.robot;
  return { ...known, host: inputs.host, id, createdAt };
}

/** Whether a key shows a host: an issuer without one cannot make it. */
export function namesHost({ template = '', format }: Entry): boolean {
  return (format !== undefined && format !== 'JSON') || template.includes('$(host)');
}

/** The value of every key, without a trailing newline. */
export function render(entries: readonly Entry[], credential: Credential): Map<string, SecretValue> {
  return new Map(entries.map(entry => [entry.key, new SecretValue(text(entry, credential))]));
}

function text({ template, format }: Entry, credential: Credential): string {
  if (format === 'JSON') return exportFile(credential);
  if (format === 'DockerConfigJSON') return dockerConfig(credential);
  return literalParts(textOf(format, template, credential), credential).join(credential.token.reveal());
}

/** A format that is a template of ours, or the template itself. `.netrc` knows no ports. */
function textOf(format: string | undefined, template = '', { host = '' }: Pick<Credential, 'host'>): string {
  if (format === 'Netrc') return `machine ${host.replace(/:[0-9]+$/, '')} login $(username) password $(token)`;
  return format === 'Npmrc' ? '//$(host)/:_authToken=$(token)' : template;
}

/** The template cut at `$(token)`, with everything else filled in. */
function literalParts(template: string, { tokenID, username, expiresAt, host }: Omit<Credential, 'token'>): string[] {
  const values: Record<string, string> = { tokenID, username, expiresAt: expiresAt ?? '', host: host ?? '' };
  return template
    .split('$(token)')
    .map(part => part.replaceAll(/\$\((tokenID|username|expiresAt|host)\)/g, (_, name: string) => values[name] ?? ''));
}

/** The export file of a robot account, as the Harbor family writes it: `expires_at` in Unix seconds, -1 for never. A robot is older than its secret. */
function exportFile({ token, tokenID, username, issuedAt, expiresAt, id, createdAt }: Credential): string {
  return JSON.stringify({
    creation_time: createdAt ?? issuedAt,
    expires_at: expiresAt === undefined ? -1 : Date.parse(expiresAt) / 1000,
    id: id ?? tokenID,
    name: username,
    secret: token.reveal(),
  });
}

/** What image pull secrets hold: `auth` is what old clients read, the other two are for the rest. */
function dockerConfig({ token, username, host = '' }: Credential): string {
  const password = token.reveal();
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  return JSON.stringify({ auths: { [host]: { username, password, auth } } });
}

/** The credential, read back from the first entry that holds it; undefined when none does. */
export function readBack(
  entries: readonly Entry[],
  data: ReadonlyMap<string, SecretValue>,
  known: Omit<Credential, 'token'>,
): SecretValue | undefined {
  for (const entry of entries) {
    const value = data.get(entry.key);
    const token = value === undefined ? undefined : tokenIn(entry, value.reveal(), known);
    if (token !== undefined && token !== '') return new SecretValue(token);
  }
  return undefined;
}

function tokenIn({ template, format }: Entry, value: string, known: Omit<Credential, 'token'>): string | undefined {
  if (format === 'JSON') return secretOfExportFile(value);
  if (format === 'DockerConfigJSON') return passwordOfDockerConfig(value, known.host ?? '');
  const parts = literalParts(textOf(format, template, known), known);
  const gaps = parts.length - 1;
  if (gaps === 0) return undefined;
  const length = (value.length - parts.join('').length) / gaps;
  if (!Number.isInteger(length) || length < 1) return undefined;
  const start = parts[0]?.length ?? 0;
  const token = value.slice(start, start + length);
  return parts.join(token) === value ? token : undefined;
}

function passwordOfDockerConfig(value: string, host: string): string | undefined {
  try {
    const { password } = JSON.parse(value).auths[host];
    return typeof password === 'string' ? password : undefined;
  } catch {
    return undefined; // edited into something else
  }
}

function secretOfExportFile(value: string): string | undefined {
  try {
    const { secret } = JSON.parse(value);
    return typeof secret === 'string' ? secret : undefined;
  } catch {
    return undefined; // edited into something else: this entry does not hold the credential any more
  }
}
