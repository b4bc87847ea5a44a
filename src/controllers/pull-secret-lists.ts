import { BotmintError } from '../base/errors.ts';
import type { CallOptions, Operation } from '../kube/calls.ts';
import type { Client } from '../kube/client.ts';
import { type ServiceAccount, serviceAccounts } from '../kube/core-kinds.ts';
import { isInvalid, isLasting, isNotFound } from '../kube/errors.ts';
import type { Ref } from '../kube/objects.ts';

/** Others write the same list, and whoever is late looks again. */
const mostTries = 4;

/**
 * Puts the name of a Secret into `imagePullSecrets` of a ServiceAccount, or takes it out, and touches no other entry. The list
 * is atomic for every kind of patch but this one. May be repeated. The account as it is then; undefined: there is none.
 */
export async function setPullSecret(
  client: Pick<Client, 'get' | 'patchJSON'>,
  ref: Ref,
  secret: string,
  is: 'listed' | 'unlisted',
  options: CallOptions,
): Promise<ServiceAccount | undefined> {
  let tried: string | undefined;
  for (let tries = 1; ; tries++) {
    const account = await client.get(serviceAccounts, ref, options);
    const operations = account === undefined ? [] : operationsFor(account, secret, is);
    if (account === undefined || operations.length === 0) return account;
    const { resourceVersion } = account.metadata;
    try {
      return await client.patchJSON(serviceAccounts, ref, operations, { ...options, resourceVersion });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      // The same answer for a test that failed and for a refusal: only whether it has moved tells them apart.
      if (!isInvalid(error) || tried === resourceVersion || tries === mostTries) throw error;
      tried = resourceVersion;
    }
  }
}

/** Of an entry that has to go, before its Secret goes without it. */
const mostAttempts = 3;

/**
 * Takes the name of a Secret that is about to be deleted out of a ServiceAccount. A failure that may pass is tried again, since only
 * that Secret says whose entry it is; what fails for longer must not keep a credential in place. Gives back the failure then.
 */
export async function unlistBeforeDelete(
  client: Pick<Client, 'get' | 'patchJSON'>,
  ref: Ref,
  secret: string,
  options: CallOptions,
): Promise<BotmintError | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      await setPullSecret(client, ref, secret, 'unlisted', options);
      return undefined;
    } catch (error) {
      if (options.signal.aborted || !(error instanceof BotmintError)) throw error;
      if (isLasting(error) || attempt === mostAttempts) return error;
    }
  }
}

/** Nothing to do where it is there, or gone, already. */
export function operationsFor(
  { imagePullSecrets }: Pick<ServiceAccount, 'imagePullSecrets'>,
  secret: string,
  is: 'listed' | 'unlisted',
): Operation[] {
  const places = imagePullSecrets.flatMap((name, place) => (name === secret ? [place] : []));
  if (is === 'unlisted') {
    // From the last one on, so that the places before it stay what they are.
    return places.reverse().map(place => ({ op: 'remove', path: `/imagePullSecrets/${place}` }));
  }
  if (places.length > 0) return [];
  const entry = { name: secret };
  return imagePullSecrets.length === 0
    ? [{ op: 'add', path: '/imagePullSecrets', value: [entry] }]
    : [{ op: 'add', path: '/imagePullSecrets/-', value: entry }];
}
