import { expect, test } from 'vitest';
import type { IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { type Claim, holderOf } from '../../src/decide/robot-name.ts';
import { inputs, registry, served } from './robots.ts';

// The older one, where nothing else is said, is `a`.
const issuer: IssuerOf<'registry'> = {
  ...registry,
  spec: { ...registry.spec, allowedNamespaces: { from: 'Selector', selector: { matchLabels: { robots: 'yes' } } } },
};
const inside = { robots: 'yes' };
const issued = served.status?.issued;

/** One that nobody has issued yet. */
function robot(uid: string, change: Partial<RobotAccount['spec']> = {}): RobotAccount {
  const { status: _, ...rest } = served;
  return { ...rest, metadata: { ...rest.metadata, uid, namespace: uid }, spec: { ...rest.spec, ...change } };
}

/** One with a record: of this issuer, and of a Secret that was seen as botmint had written it, where nothing else is said. */
function recorded(of: RobotAccount, o: { issuerUID?: string; resourceVersion?: string } = {}): RobotAccount {
  const { issuerUID = issuer.metadata.uid, resourceVersion } = { resourceVersion: '5', ...o };
  const secret = { name: 'ci', uid: 's', ...(resourceVersion !== undefined && { resourceVersion }) };
  const made = { ...inputs, issuer: { ...inputs.issuer, uid: issuerUID } };
  const status = { ...served.status, tokenID: `${of.metadata.uid}.3.x`, issued: { ...issued, inputs: made, secret } };
  return { ...of, status };
}

const above = { expiresIn: 'never', permissions: ['DeleteArtifacts' as const] };
const limited: IssuerOf<'registry'> = {
  ...issuer,
  spec: { ...issuer.spec, limits: { ...issuer.spec.limits, permissions: ['PullArtifacts', 'PushArtifacts'] } },
};

test.each<[string, RobotAccount, RobotAccount, Partial<Record<'a' | 'b', object | undefined>>, string | undefined]>([
  ['the older one has it', robot('a'), robot('b'), {}, 'a'],
  ['not one whose namespace the issuer does not allow', robot('a'), robot('b'), { a: {} }, 'b'],
  ['not one whose namespace is not known yet', robot('a'), robot('b'), { a: undefined }, 'b'],
  ['not one above a ceiling', robot('a', above), robot('b'), {}, 'b'],
  ['none of two that are refused', robot('a', above), robot('b'), { b: {} }, undefined],
  ['who logs in with it keeps it', robot('a'), recorded(robot('b')), {}, 'b'],
  ['also where the issuer would not allow it any more', robot('a'), recorded(robot('b')), { b: {} }, 'b'],
  ['also above a ceiling', robot('a'), recorded(robot('b', above)), {}, 'b'],
  ['of two who log in with it, the older one', recorded(robot('a')), recorded(robot('b')), {}, 'a'],
  ['of two who log in with it, the one that is allowed', recorded(robot('a')), recorded(robot('b')), { a: {} }, 'b'],
  ['a record of another issuer counts for nothing', robot('a'), recorded(robot('b'), { issuerUID: 'x' }), {}, 'a'],
  ['nor does one of a Secret that botmint did not write', robot('a'), recorded(robot('b'), forged()), {}, 'a'],
  ['least of all where it is refused', recorded(robot('a'), forged()), robot('b'), { a: {} }, 'b'],
])('%s', (_, a, b, labels, expected) => {
  const claims: Claim[] = [a, b].map(each => {
    const { uid } = each.metadata;
    return { robot: each, namespaceLabels: uid in labels ? labels[uid as 'a'] : inside } as Claim;
  });
  for (const all of [claims, claims.toReversed()]) expect(holderOf(all, limited)?.metadata.uid).toBe(expected);
});

function forged(): object {
  return { resourceVersion: undefined };
}
