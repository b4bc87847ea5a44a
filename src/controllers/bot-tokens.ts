import { type BotToken, botTokenKind } from '../api/bot-token.ts';
import { type BotUser, botUserKind } from '../api/bot-user.ts';
import { type ClusterTokenIssuer, clusterTokenIssuerKind } from '../api/cluster-token-issuer.ts';
import { botTokens, botUserNameOf } from '../decide/bot-token.ts';
import { tokenGrant } from '../decide/bot-token-grant.ts';
import type { PrincipalSeen } from '../decide/credential-seen.ts';
import { isSuspended, uidOf } from '../decide/grant.ts';
import type { Outcome } from '../kube/controller.ts';
import type { Key } from '../kube/objects.ts';
import { botUserKeyOf, botUserRefOf, claimantsOf, issuerSeen, labelsOf, usernameKeyOf } from './caches.ts';
import { Credentials } from './credentials.ts';
import type { HandOver } from './hand-over.ts';
import { Kept } from './kept.ts';
import type { StatusLists } from './status-lists.ts';
import { type TokenMintingOptions, tokenMinting } from './token-minting.ts';
import type { World } from './world.ts';

export interface BotTokensOptions extends Omit<TokenMintingOptions, 'world' | 'statusLists'> {
  statusLists: Pick<StatusLists, 'seen' | 'take' | 'write'>;
  handOver: HandOver;
}

/** The controller of BotTokens: each speaks for a BotUser, and is signed by the issuer of that. */
export class BotTokens {
  readonly #world: World;
  readonly #botUsers: Kept<BotUser>;
  readonly #issuers: Kept<ClusterTokenIssuer>;
  readonly #credentials: Credentials<BotToken>;

  constructor(world: World, o: BotTokensOptions) {
    const { client, caches } = world;
    this.#world = world;
    this.#botUsers = new Kept(client, botUserKind, caches.botUsers);
    this.#issuers = new Kept(client, clusterTokenIssuerKind, caches.issuers);
    this.#credentials = new Credentials(world, {
      kind: botTokens,
      resource: botTokenKind,
      store: caches.tokens,
      claimants: claimantsOf(caches),
      mint: tokenMinting({ world, ...o }),
      principal: token => this.#botUser(token),
      refresh: (what, token, signal) => this.#refresh(what, token, signal),
      statusLists: o.statusLists,
      handOver: o.handOver,
      digestKey: o.digestKey,
    });
  }

  reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    return this.#credentials.reconcile(key, signal);
  }

  #botUser(token: BotToken): PrincipalSeen {
    const { caches } = this.#world;
    const { botUsers } = caches;
    const key = botUserKeyOf(token);
    const botUser = botUsers.get(key);
    // Whether it is being deleted is told by the metadata, which every version understands.
    const metadata = (botUser ?? botUsers.unreadable(key))?.metadata;
    if (metadata?.deletionTimestamp !== undefined)
      return { state: 'deleted', name: botUserNameOf(token), since: metadata.deletionTimestamp };
    if (botUser === undefined)
      return { state: metadata === undefined ? 'absent' : 'unreadable', name: botUserNameOf(token) };
    const tokenNamespaceLabels = labelsOf(caches.namespaces, token.metadata.namespace);
    const seen = { ...issuerSeen(caches, botUser), tokenNamespaceLabels };
    const rivals = botUsers.byIndex('username', usernameKeyOf(botUser)).filter(rival => rival !== botUser);
    const now = this.#world.clock.now();
    const grant = tokenGrant(token, botUser, rivals, seen, now);
    const { uid } = botUser.metadata;
    return { state: 'found', uid, suspended: isSuspended(botUser, now), issuerUID: uidOf(seen), grant };
  }

  async #refresh(what: 'principal' | 'issuer', token: BotToken, signal: AbortSignal): Promise<void> {
    if (what === 'principal') return this.#botUsers.refresh(botUserRefOf(token), signal);
    const name = this.#world.caches.botUsers.get(botUserKeyOf(token))?.spec.issuerRef.name;
    if (name !== undefined) await this.#issuers.refresh({ name }, signal);
  }
}
