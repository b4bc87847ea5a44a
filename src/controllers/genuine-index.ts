import { isDeepStrictEqual } from 'node:util';
import { inputsAnnotation, tokenIDAnnotation } from '../api/names.ts';
import { parsedJSON } from '../base/json.ts';
import type { SecretValue } from '../base/secret-value.ts';
import { statusListTag } from '../decide/digest.ts';
import type { SecretMetadata } from '../decide/secret-metadata.ts';
import { isRecord } from '../kube/objects.ts';

/**
 * A Secret's metadata as it may be believed. Who may edit the Secret may write any index into what the credential was made
 * from, also that of somebody else's token, and what is done to his own token would be done to that one: an index that the
 * operator's key does not vouch for is left out. The next look then puts the annotation right.
 */
export function withGenuineIndex(
  metadata: SecretMetadata,
  namespace: string,
  key: SecretValue,
  known: { tokenID: string | undefined; inputs: unknown },
): SecretMetadata {
  const { [tokenIDAnnotation]: tokenID = '', [inputsAnnotation]: text } = metadata.annotations ?? {};
  const inputs = parsedJSON(text);
  if (!isRecord(inputs) || inputs.statusListIndex === undefined) return metadata;
  // What is recorded has been looked at before.
  if (tokenID === known.tokenID && isDeepStrictEqual(inputs, known.inputs)) return metadata;
  const { statusListIndex: index, statusListTag: tag, ...others } = inputs;
  if (typeof index === 'number' && tag === statusListTag({ namespace, tokenID, index }, key)) return metadata;
  return { ...metadata, annotations: { ...metadata.annotations, [inputsAnnotation]: JSON.stringify(others) } };
}
