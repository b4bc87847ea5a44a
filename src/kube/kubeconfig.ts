import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, resolve } from 'node:path';
import { z } from 'zod';

const text = z.string().min(1);
const absent = z.never({ error: 'is not supported' }).optional();

const cluster = z.object({
  server: text,
  'certificate-authority': text.optional(),
  'certificate-authority-data': text.optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'tls-server-name': text.optional(),
  'proxy-url': absent,
});

const user = z.object({
  'client-certificate': text.optional(),
  'client-certificate-data': text.optional(),
  'client-key': text.optional(),
  'client-key-data': text.optional(),
  token: text.optional(),
  tokenFile: text.optional(),
  username: text.optional(),
  password: text.optional(),
  as: text.optional(),
  'as-groups': z.array(text).optional(),
  'as-uid': absent,
  'as-user-extra': absent,
  // For client-node, which runs plugins and providers.
  exec: z.record(z.string(), z.unknown()).optional(),
  'auth-provider': z.record(z.string(), z.unknown()).optional(),
});

const context = z.object({ cluster: text, user: z.string().default(''), namespace: text.optional() });

const kubeconfig = z.object({
  'current-context': z.string().nullish(),
  clusters: z.array(z.object({ name: text, cluster: z.unknown() })).nullish(),
  users: z.array(z.object({ name: text, user: z.unknown() })).nullish(),
  contexts: z.array(z.object({ name: text, context: z.unknown() })).nullish(),
});

export type KubeconfigCluster = z.infer<typeof cluster>;
export type KubeconfigUser = z.infer<typeof user>;

/** What a context means, with the paths of files made absolute. */
export interface Context {
  cluster: KubeconfigCluster;
  user: KubeconfigUser;
  namespace: string | undefined;
}

const nobody: KubeconfigUser = {};

/** The kubeconfig is missing or does not say what is needed; the message says what, and quotes nothing of the content. */
export class KubeconfigInvalid extends Error {
  override readonly name = 'KubeconfigInvalid';
}

/**
 * Reads a context (by default the current one) out of a kubeconfig, or out of several as kubectl does: separated by
 * `:`, the first file that has an entry wins, files that do not exist are passed over.
 */
export function readContext(paths: string, wanted: string | undefined): Context {
  const files = paths
    .split(delimiter)
    .filter(path => path !== '' && existsSync(path))
    .map(readFile);
  if (files.length === 0) throw new KubeconfigInvalid(`there is no kubeconfig at ${paths}`);
  const name = wanted ?? files.map(file => file.content['current-context']).find(current => current);
  if (!name) throw new KubeconfigInvalid(`${paths} names no current context`);
  const found = entry(files, 'contexts', name);
  const { cluster: clusterName, user: userName, namespace } = checked(`context ${name}`, context, found.value.context);
  const clusterEntry = entry(files, 'clusters', clusterName);
  const userEntry = userName === '' ? undefined : entry(files, 'users', userName);
  return {
    cluster: absolute(checked(`cluster ${clusterName}`, cluster, clusterEntry.value.cluster), clusterEntry.directory),
    user: userEntry ? absolute(checked(`user ${userName}`, user, userEntry.value.user), userEntry.directory) : nobody,
    namespace,
  };
}

interface File {
  path: string;
  content: z.infer<typeof kubeconfig>;
}

function readFile(path: string): File {
  // Loaded here: it takes 11 MB that a pod, which has no kubeconfig, need not have.
  const { parse }: typeof import('yaml') = createRequire(import.meta.url)('yaml');
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // The parser quotes the line that it does not understand, and that may be a token.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new KubeconfigInvalid(`${path}: ${code}`);
  }
  return { path, content: checked(path, kubeconfig, content) };
}

function entry<K extends 'clusters' | 'users' | 'contexts'>(files: readonly File[], list: K, name: string) {
  for (const { path, content } of files) {
    const value = (content[list] ?? []).find((each): each is EntryOf<K> => each.name === name);
    if (value !== undefined) return { value, directory: dirname(resolve(path)) };
  }
  throw new KubeconfigInvalid(`there is no '${name}' under ${list}`);
}

type EntryOf<K extends 'clusters' | 'users' | 'contexts'> = NonNullable<File['content'][K]>[number];

function checked<T>(what: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(issue => `${issue.path.join('.')} ${issue.message}`);
  throw new KubeconfigInvalid(`kubeconfig, ${what}: ${issues.join('; ')}`);
}

const paths = new Set(['certificate-authority', 'client-certificate', 'client-key', 'tokenFile']);

function absolute<T extends object>(of: T, directory: string): T {
  const changed = Object.entries(of).map(([field, value]) =>
    paths.has(field) && typeof value === 'string' ? [field, resolve(directory, value)] : [field, value],
  );
  return { ...of, ...Object.fromEntries(changed) };
}
