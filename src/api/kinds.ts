import { botTokenKind } from './bot-token.ts';
import { botUserKind } from './bot-user.ts';
import { clusterTokenIssuerKind } from './cluster-token-issuer.ts';
import { revocationKind } from './revocation.ts';
import { robotAccountKind } from './robot-account.ts';

/** Every kind of botmint: each gets a CRD and a reference page. */
export const kinds = [clusterTokenIssuerKind, botUserKind, botTokenKind, robotAccountKind, revocationKind] as const;
