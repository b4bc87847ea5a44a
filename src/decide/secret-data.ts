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
}

/** The value of every key, without a trailing newline. */
export function render(entries: readonly Entry[], credential: Credential): Map<string, SecretValue> {
  return new Map(entries.map(entry => [entry.key, new SecretValue(text(entry, credential))]));
}

function text({ template, format }: Entry, credential: Credential): string {
  if (format === 'JSON') return exportFile(credential);
  return literalParts(template ?? '', credential).join(credential.token.reveal());
}

/** The template cut at `$(token)`, with everything else filled in. */
function literalParts(template: string, { tokenID, username, expiresAt }: Omit<Credential, 'token'>): string[] {
  const values: Record<string, string> = { tokenID, username, expiresAt: expiresAt ?? '' };
  return template
    .split('$(token)')
    .map(part => part.replaceAll(/\$\((tokenID|username|expiresAt)\)/g, (_, name: string) => values[name] ?? ''));
}

/** The export file of a robot account, as the Harbor family writes it: `expires_at` in Unix seconds, -1 for never. */
function exportFile({ token, tokenID, username, issuedAt, expiresAt }: Credential): string {
  return JSON.stringify({
    creation_time: issuedAt,
    expires_at: expiresAt === undefined ? -1 : Date.parse(expiresAt) / 1000,
    id: tokenID,
    name: username,
    secret: token.reveal(),
  });
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
  const parts = literalParts(template ?? '', known);
  const gaps = parts.length - 1;
  if (gaps === 0) return undefined;
  const length = (value.length - parts.join('').length) / gaps;
  if (!Number.isInteger(length) || length < 1) return undefined;
  const start = parts[0]?.length ?? 0;
  const token = value.slice(start, start + length);
  return parts.join(token) === value ? token : undefined;
}

function secretOfExportFile(value: string): string | undefined {
  try {
    const { secret } = JSON.parse(value);
    return typeof secret === 'string' ? secret : undefined;
  } catch {
    return undefined; // edited into something else: this entry does not hold the credential any more
  }
}
