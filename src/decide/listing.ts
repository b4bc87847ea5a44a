import type { TokenStatus } from '../api/token-status.ts';

/**
 * What the status list says of an index. `missing`: somebody deleted the list, it can be made anew. `unreadable`: somebody
 * edited it into something that is no list. `retired`: its issuer is gone, and with it whoever could verify the token.
 */
export type Listed = TokenStatus | 'missing' | 'unreadable' | 'retired';
