import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { sharedCluster } from '../cluster/cluster.ts';
import { features } from '../setup/features.ts';
import { Samples } from './on-server.ts';
import { bot, type Good, issuer, registryIssuer, robot, token } from './sample.ts';

// What docs/features.md says to write is taken by the API server, in a manifest that has beside it what its kind demands.

const cluster = sharedCluster();
let samples: Samples;
beforeAll(async () => {
  samples = new Samples(cluster, await cluster.namespace());
});

const written = z.looseObject({ metadata: z.looseObject({}).default({}) });

/** The part in a manifest that has no more than it needs. */
const complete: { [kind: string]: (spec: { [field: string]: unknown }) => Good } = {
  BotUser: spec => bot(spec),
  BotToken: spec => token(spec),
  RobotAccount: spec => robot(spec.projects === undefined ? spec : { project: undefined, ...spec }),
  ClusterTokenIssuer: ({ registry, ...spec }) =>
    spec.jwt === undefined ? registryIssuer(Object(registry), spec) : issuer(spec),
};

const parts = features.flatMap(({ feature, written: cell }) => {
  const [, kind, part] = /^`(\w+)` `(\{.*\})`$/.exec(cell) ?? [];
  return kind === undefined || part === undefined ? [] : [{ feature, kind, part }];
});

test.each(parts)('$feature: $kind $part', async ({ kind, part }) => {
  const { metadata, ...spec } = written.parse(parse(part));
  const sample = complete[kind]?.(spec);
  if (sample === undefined) throw new Error(`no such kind: ${kind}`);
  const object = { ...sample.object, metadata: { ...metadata, ...sample.object.metadata } };
  expect(await samples.judge({ ...sample, object })).toMatchObject({ status: 201, body: { metadata, spec } });
});
