import type { Credentialed } from '../api/credentialed.ts';
import type { Inputs } from '../api/inputs.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Recorded } from '../decide/credential-record.ts';
import { type OwnSecret, secretNameOf } from '../decide/credential-seen.ts';
import { digestOf } from '../decide/digest.ts';
import { knownOf, render } from '../decide/secret-data.ts';
import { dropped, marksOf, type Owner, renderingOf, wantedMetadata } from '../decide/secret-metadata.ts';
import { KubeError } from '../kube/errors.ts';

/** A credential that was signed and rendered: what one write of a Secret brings. */
export interface Minted {
  revision: number;
  tokenID: string;
  inputs: Inputs;
  data: ReadonlyMap<string, SecretValue>;
}

/** The same credential under the rendering that its inputs name. */
export function rendered(
  token: SecretValue,
  of: { revision: number; tokenID: string; inputs: Inputs },
  digestKey: SecretValue,
): Minted {
  const data = render(of.inputs.secret.data, { token, ...knownOf(of.tokenID, of.inputs) });
  return { ...of, inputs: { ...of.inputs, digest: digestOf(data, digestKey) }, data };
}

/** A new Secret with all its keys in one write. */
export function newSecret(of: Owner, minted: Minted): { metadata: { name: string; namespace?: string | undefined } } {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretNameOf(of.object), namespace: of.object.metadata.namespace, ...wantedMetadata(of, minted) },
    type: of.object.spec.secret.type,
    data: base64(minted.data),
  } as { metadata: { name: string; namespace?: string | undefined } };
}

/** The merge patch that puts a credential into a Secret that is ours: nothing of what it held before stays. */
export function rewrittenSecret(of: Owner, over: OwnSecret, keys: readonly string[], minted: Minted): object {
  const gone = Object.fromEntries(keys.filter(key => !minted.data.has(key)).map(key => [key, null]));
  return { metadata: relabelled(of, over, minted), data: { ...gone, ...base64(minted.data) } };
}

/** The merge patch of the metadata: what an earlier template had is taken away, what others put there stays. */
export function relabelled(of: Owner, over: OwnSecret, marks: { revision: number; tokenID: string; inputs: Inputs }) {
  const wanted = wantedMetadata(of, marks);
  const before = marksOf(over.metadata)?.inputs;
  const template = before === undefined || before === 'unknown' ? { labels: {}, annotations: {} } : before.secret;
  const others = (over.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== of.object.metadata.uid);
  return {
    labels: { ...dropped(template.labels, wanted.labels), ...wanted.labels },
    annotations: { ...dropped(template.annotations, wanted.annotations), ...wanted.annotations },
    ownerReferences: [...others, ...wanted.ownerReferences],
  };
}

/** The record's marks with the rendering that the spec has now, for a write of the metadata alone. */
export function relabelledMarks(object: Credentialed, record: Recorded) {
  const { labels, annotations } = renderingOf(object);
  return { ...record, inputs: { ...record.inputs, secret: { ...record.inputs.secret, labels, annotations } } };
}

function base64(data: ReadonlyMap<string, SecretValue>): { [key: string]: string } {
  return Object.fromEntries([...data].map(([key, value]) => [key, Buffer.from(value.reveal()).toString('base64')]));
}

/**
 * An answer of the API server without any value of the Secret that was being written, also without what it says of one: it tells which
 * character keeps a text from being JSON. An admission policy may quote what it refused.
 */
export function withoutValues(error: KubeError, data: ReadonlyMap<string, SecretValue>): KubeError {
  let { message } = error;
  for (const value of data.values()) {
    for (const form of [value.reveal(), Buffer.from(value.reveal()).toString('base64')]) {
      if (form !== '') message = message.replaceAll(form, '[redacted]');
    }
  }
  const { status, reason, retry } = error;
  message = message.replace(/(\bdata\[[^\]]*\]).*$/s, '$1 (what is wrong with it is not repeated here)');
  return new KubeError({ status, reason, message, retry });
}
