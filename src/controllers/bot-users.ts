import { type BotToken, botTokenKind } from '../api/bot-token.ts';
import { type BotUser, botUserKind } from '../api/bot-user.ts';
import { revokeFinalizer } from '../api/names.ts';
import { isPast } from '../api/object.ts';
import { unreachable } from '../base/errors.ts';
import { botUserGrant } from '../decide/bot-token-grant.ts';
import { decide, type Observed, type Step } from '../decide/bot-user.ts';
import { recordOf } from '../decide/credential-record.ts';
import { livePrevious } from '../decide/credential-status.ts';
import type { Outcome } from '../kube/controller.ts';
import { type Key, keyOf } from '../kube/objects.ts';
import { botUserKeyOf, issuerSeen, usernameKeyOf } from './caches.ts';
import { Kept } from './kept.ts';
import { countLive, restOf, Unsettled, type World } from './world.ts';

/** More steps than a BotUser can need: finalizer, count, status, release, and a conflict at each. */
const mostSteps = 12;

/** Says whether a BotUser can be used, and keeps it until its credentials are revoked. */
export class BotUsers {
  readonly #world: World;
  readonly #botUsers: Kept<BotUser>;

  constructor(world: World) {
    this.#world = world;
    this.#botUsers = new Kept(world.client, botUserKind, world.caches.botUsers);
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const pass: { confirmedTokens: number | undefined } = { confirmedTokens: undefined };
    for (let steps = 0; steps < mostSteps; steps++) {
      const botUser = this.#world.caches.botUsers.get(key);
      if (botUser === undefined) return { next: 'on-change' };
      const step = decide(this.#observe(botUser, pass), this.#world.clock.now());
      if (step.do === 'rest') return this.#rest(botUser);
      await this.#act(botUser, step, pass, signal);
    }
    throw new Unsettled(`BotUser ${key} did not settle in ${mostSteps} steps`);
  }

  /** Its end comes by the clock alone. */
  #rest(botUser: BotUser): Outcome {
    const { notAfter } = botUser.spec;
    const end = notAfter === undefined ? undefined : new Date(notAfter);
    const ends = botUser.metadata.deletionTimestamp === undefined && end !== undefined && end > this.#world.clock.now();
    return ends ? { next: 'at', time: end } : restOf(botUser, this.#world.clock);
  }

  #observe(botUser: BotUser, pass: { confirmedTokens: number | undefined }): Observed {
    const { botUsers, tokens } = this.#world.caches;
    const rivals = botUsers.byIndex('username', usernameKeyOf(botUser)).filter(rival => rival !== botUser);
    const now = this.#world.clock.now();
    const grant = botUserGrant(botUser, rivals, issuerSeen(this.#world.caches, botUser), now);
    const referring = tokens.byIndex('botUser', keyOf(botUser));
    const activeTokens = referring.filter(token => countsFor(botUser, token, now)).length;
    return { botUser, grant, activeTokens, confirmedTokens: pass.confirmedTokens };
  }

  async #act(
    botUser: BotUser,
    step: Exclude<Step, { do: 'rest' }>,
    pass: { confirmedTokens: number | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const { report } = this.#world;
    switch (step.do) {
      case 'add-finalizer': {
        await this.#botUsers.finalize(botUser, revokeFinalizer, signal);
        return;
      }
      case 'confirm-tokens':
        pass.confirmedTokens = await this.#countLive(botUser, signal);
        return;
      case 'remove-finalizer':
        await this.#botUsers.release(botUser, revokeFinalizer, signal);
        return;
      case 'write-status': {
        const written = await this.#botUsers.patchStatus(botUser, step.patch, signal);
        if (written) report('BotUser', botUser, step.verdict, { always: false, action: 'Reconcile' });
        return;
      }
      default:
        return unreachable(step);
    }
  }

  /**
   * In every namespace, whatever `allowedNamespaces` says now. Without those that cannot be read: whatever credential such a token has ends with this BotUser's deletion, and the token
   * itself is seen to by a version that can read it.
   */
  async #countLive(botUser: BotUser, signal: AbortSignal): Promise<number> {
    const selection = { fieldSelector: `spec.botUserRef.name=${botUser.metadata.name}` };
    const now = this.#world.clock.now();
    const matches = (token: BotToken) => countsFor(botUser, token, now);
    return (await countLive(this.#world.client, botTokenKind, selection, matches, signal)).matching;
  }
}

/**
 * Whether a token has a credential that was issued for this very BotUser; an expired one counts only for one that is going. One
 * whose Secret was lost has no record of whom the credential is for: it counts for the BotUser that it refers to.
 */
function countsFor(botUser: BotUser, token: BotToken, now: Date): boolean {
  const record = recordOf(token);
  if (record === undefined) return livePrevious(token, now).length > 0 && botUserKeyOf(token) === keyOf(botUser);
  if (record === 'unknown' || record.inputs.botUser?.uid !== botUser.metadata.uid) return false;
  const { expiresAt } = record.inputs;
  const going = botUser.metadata.deletionTimestamp !== undefined;
  return going || !isPast(expiresAt, now);
}
