import { expect, test } from 'vitest';
import { daemonSets, deployments, statefulSets } from '../../src/kube/workloads.ts';

const metadata = { name: 'web', namespace: 'team-a', uid: 'web-uid', resourceVersion: '5', generation: 2 };

test('a workload is read as far as its roll-out goes', () => {
  const deployment = deployments.parse({
    kind: 'Deployment',
    metadata,
    spec: {
      replicas: 3,
      template: { metadata: { annotations: { a: 'b' } }, spec: { containers: [{ env: [{ value: 'hush' }] }] } },
    },
    status: {
      observedGeneration: 2,
      updatedReplicas: 1,
      conditions: [{ type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: 'no need' }],
    },
  });
  expect(deployment).toEqual({
    kind: 'Deployment',
    metadata,
    replicas: 3,
    templateAnnotations: { a: 'b' },
    counts: { observedGeneration: 2, updatedReplicas: 1 },
    conditions: [{ type: 'Progressing', reason: 'ReplicaSetUpdated' }],
  });
});

test.each([statefulSets, daemonSets, deployments])('what a new $kind does not say yet counts as nothing', resource => {
  expect(resource.parse({ metadata, spec: { template: { metadata: { creationTimestamp: null } } } })).toEqual({
    kind: resource.kind,
    metadata,
    replicas: undefined,
    templateAnnotations: {},
    counts: {},
    conditions: [],
  });
});

test('what is no object of the API is refused', () => {
  expect(() => deployments.parse({ spec: {} })).toThrow('without name, uid or resourceVersion');
});
