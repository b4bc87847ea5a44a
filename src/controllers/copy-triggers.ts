import { isDeepStrictEqual } from 'node:util';
import type { Credentialed } from '../api/credentialed.ts';
import { acceptLabelPrefix } from '../api/names.ts';
import { copyMarksOf, ownerOfCopy } from '../decide/copy-metadata.ts';
import { secretNameOf } from '../decide/credential-seen.ts';
import type { Metadata } from '../kube/core-kinds.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import type { Caches } from './caches.ts';

/** By which the caches find whose copies concern whom. */
export const copyingIndexes = {
  copiesFrom: ({ metadata, spec }: Credentialed) =>
    spec.secret.copies === undefined ? [] : [metadata.namespace ?? ''],
  copiesNamed: (object: Credentialed) => (object.spec.secret.copies === undefined ? [] : [secretNameOf(object)]),
};

/** The same for the Secrets that are copies: by the UID of the owner, and by the namespace that they are in. */
export const copyIndexes = {
  copyOf: ({ metadata }: Metadata) => {
    const owner = ownerOfCopy(metadata);
    return owner === undefined ? [] : [owner.uid];
  },
  copyIn: ({ metadata }: Metadata) => (ownerOfCopy(metadata) === undefined ? [] : [metadata.namespace ?? '']),
};

/** A kind of object that copies can be made of, and how one is put on its queue. */
export interface Copying<T extends Credentialed = Credentialed> {
  store: Pick<Store<T>, 'byIndex' | 'byUID'>;
  add: (object: T) => void;
}

/** What a change of a namespace, a copy or a ServiceAccount gives to look at again. */
export function connectCopies(caches: Caches, kinds: readonly { wake: Wake }[]): void {
  const wake: Wake = of => {
    for (const kind of kinds) kind.wake(of);
  };
  const wakeOwner = (copy: Metadata | undefined) => {
    const owner = copy && ownerOfCopy(copy.metadata);
    if (owner !== undefined) wake({ by: 'uid', value: owner.uid });
  };
  caches.namespaces.onChange(({ before, after }) => {
    if (isSame(before, after)) return;
    // Whose copy it has, it agreed to, or it has just taken that back.
    for (const source of new Set([...consentsOf(before), ...consentsOf(after)]))
      wake({ by: 'copiesFrom', value: source });
  });
  caches.secrets.onChange(({ before, after }) => {
    wakeOwner(before);
    wakeOwner(after);
    // It may have been in the way of a copy.
    if (after === undefined && before !== undefined) wake({ by: 'copiesNamed', value: before.metadata.name });
  });
  caches.accounts.store.onChange(({ before, after }) => {
    const { namespace = '', name } = (after ?? before)?.metadata ?? { name: '' };
    for (const copy of caches.secrets.byIndex('copyIn', namespace)) {
      const noted = copyMarksOf(copy.metadata)?.serviceAccounts.includes(name) === true;
      const uid = ownerOfCopy(copy.metadata)?.uid ?? '';
      wake({ by: 'uid', value: uid, where: object => noted || namesAccount(object, name) });
    }
  });
}

/** Puts what was found of one kind on its queue. */
export type Wake = (of: {
  by: 'uid' | 'copiesFrom' | 'copiesNamed';
  value: string;
  where?: (object: Credentialed) => boolean;
}) => void;

/** How objects of a kind are found and put on its queue. */
export function waking<T extends Credentialed>({ store, add }: Copying<T>): { wake: Wake } {
  return {
    wake: ({ by, value, where = () => true }) => {
      const one = by === 'uid' ? store.byUID(value) : undefined;
      const found = by === 'uid' ? (one === undefined ? [] : [one]) : store.byIndex(by, value);
      for (const object of found) if (where(object)) add(object);
    },
  };
}

function namesAccount({ spec }: Credentialed, name: string): boolean {
  return spec.secret.copies?.imagePullSecretsOf?.includes(name) === true;
}

/** Of a namespace only these count: what it is selected by, and whether it goes. */
function isSame(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  return (
    isDeepStrictEqual(before.metadata.labels, after.metadata.labels) &&
    before.metadata.deletionTimestamp === after.metadata.deletionTimestamp
  );
}

/** The namespaces from which a namespace takes copies. */
function consentsOf(namespace: KubeObject | undefined): string[] {
  const prefix = `${acceptLabelPrefix}/`;
  const labels = Object.keys(namespace?.metadata.labels ?? {});
  return labels.filter(label => label.startsWith(prefix)).map(label => label.slice(prefix.length));
}
