import type { BotToken } from '../api/bot-token.ts';
import { livePrevious, recordOf } from './bot-token-status.ts';
import type { PublishedKey } from './issuer.ts';

/**
 * Which retired keys of an issuer (by UID) a credential that is alive may have been signed with, by the records of all
 * BotTokens. A record names the key of the credential in force; of a superseded one that lives on it is only known that
 * it is not older than its BotToken.
 */
export function neededKeys(tokens: Iterable<BotToken>, issuerUID: string, now: Date): (key: PublishedKey) => boolean {
  const named = new Set<string>();
  let superseded = Number.POSITIVE_INFINITY;
  for (const token of tokens) {
    const record = recordOf(token);
    if (record === 'unknown') return () => true; // it may name any key
    if (record?.inputs.issuer.uid !== issuerUID) continue;
    named.add(record.inputs.keyID);
    if (livePrevious(token, now).length > 0)
      superseded = Math.min(superseded, Date.parse(token.metadata.creationTimestamp));
  }
  return ({ kid, since }) => named.has(kid) || superseded <= Date.parse(since);
}
