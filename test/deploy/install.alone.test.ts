import { expect, test } from 'vitest';
import { describeOwnControlPlane, ownControlPlane } from '../cluster/cluster.ts';
import { deployFiles, deployPath, manifestsOf } from './manifests.ts';

describeOwnControlPlane('kubectl apply -f deploy/', () => {
  test('installs everything in one go on an empty cluster, and may be repeated', async () => {
    await using plane = await ownControlPlane();
    const apply = async () => (await plane.kubectl(['apply', '--warnings-as-errors', '-f', deployPath('')])).trim();
    const all = deployFiles().flatMap(manifestsOf);
    expect((await apply()).split('\n').map(said => said.split(' ').at(-1))).toEqual(all.map(() => 'created'));
    expect((await apply()).split('\n')).toHaveLength(all.length);
    const issuerURL = await plane.kubectl(['get', 'cti', 'builtin', '-o', 'jsonpath={.spec.jwt.issuerURL}']);
    expect(issuerURL).toBe('https://botmint.botmint-system.svc');
  });
});
