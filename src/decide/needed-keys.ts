import type { BotToken } from '../api/bot-token.ts';
import type { Inputs } from '../api/inputs.ts';
import { tokenIDAnnotation } from '../api/names.ts';
import { isPast } from '../api/object.ts';
import { issuerUIDOf, recordOf } from './credential-record.ts';
import { livePrevious } from './credential-status.ts';
import type { PublishedKey } from './issuer-seen.ts';
import { marksOf, type SecretMetadata } from './secret-metadata.ts';

/** A credential counts for so long after its end: a clock that is ahead must not take the key of one that lives away. */
const clockMarginMilliseconds = 24 * 3600 * 1000;

/** A BotToken and the metadata of the Secret that its spec names. */
export interface TokenSeen {
  token: BotToken;
  secret: SecretMetadata | undefined;
}

/**
 * Which retired keys of an issuer (by UID) a credential that is alive may have been signed with, by the records of all
 * BotTokens and by what Secrets hold that are not recorded yet. A record names the key of the credential in force; of a
 * superseded one that lives on it is only known that it is not older than its BotToken.
 */
export function neededKeys(seen: Iterable<TokenSeen>, issuerUID: string, now: Date): (key: PublishedKey) => boolean {
  const ended = new Date(now.getTime() - clockMarginMilliseconds);
  const named = new Set<string>();
  let superseded = Number.POSITIVE_INFINITY;
  for (const { token, secret } of seen) {
    const record = recordOf(token);
    const held = unrecorded(token, secret);
    if (record === 'unknown' || held === 'unknown') return () => true; // it may name any key
    for (const inputs of [record?.inputs, held])
      if (inputs?.robot === undefined && inputs?.issuer.uid === issuerUID && !isPast(inputs.expiresAt, ended))
        named.add(inputs.keyID);
    // Without a record that may not say of which issuer they are: a version before this one did not.
    if ((issuerUIDOf(token) ?? issuerUID) === issuerUID && livePrevious(token, ended).length > 0)
      superseded = Math.min(superseded, Date.parse(token.metadata.creationTimestamp));
  }
  return ({ kid, since }) => named.has(kid) || superseded <= Date.parse(since);
}

/** What a Secret holds that is ahead of the record. */
function unrecorded({ status }: BotToken, secret: SecretMetadata | undefined): Inputs | 'unknown' | undefined {
  const annotated = secret?.annotations?.[tokenIDAnnotation];
  if (secret === undefined || annotated === undefined || annotated === status?.tokenID) return undefined;
  return marksOf(secret)?.inputs;
}
