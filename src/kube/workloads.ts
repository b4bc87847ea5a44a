import { isRecord, type KubeObject, parseKubeObject, type Resource } from './objects.ts';

/** What rolls pods: of each kind only what says which pods there should be, and how many of them there are. */
export interface Workload extends KubeObject {
  /** `spec.replicas`; a DaemonSet has none. */
  replicas: number | undefined;
  /** Annotations of the pod template: a change of one rolls the pods. */
  templateAnnotations: Readonly<Record<string, string>>;
  /** Every number of the status, under the name that the API gives it. One that is left out is 0. */
  counts: Readonly<Record<string, number>>;
  conditions: readonly { type: string; reason: string }[];
}

export const deployments: Resource<Workload> = apps('deployments', 'Deployment');
export const statefulSets: Resource<Workload> = apps('statefulsets', 'StatefulSet');
export const daemonSets: Resource<Workload> = apps('daemonsets', 'DaemonSet');

function apps(plural: string, kind: string): Resource<Workload> {
  return { group: 'apps', version: 'v1', plural, kind, namespaced: true, parse: value => parseWorkload(kind, value) };
}

/** Lenient: what is not there, or is no number, counts as 0, so that nobody takes it for a finished roll-out. */
function parseWorkload(kind: string, value: unknown): Workload {
  const object = parseKubeObject(value);
  const { spec, status } = { spec: record(object.spec), status: record(object.status) };
  const { metadata } = record(spec.template);
  return {
    kind,
    metadata: object.metadata,
    replicas: typeof spec.replicas === 'number' ? spec.replicas : undefined,
    templateAnnotations: Object.fromEntries(entriesOf(record(metadata).annotations, isString)),
    counts: Object.fromEntries(entriesOf(status, isNumber)),
    conditions: (Array.isArray(status.conditions) ? status.conditions : []).filter(isRecord).map(conditionOf),
  };
}

function conditionOf({ type, reason }: Record<string, unknown>): { type: string; reason: string } {
  return { type: isString(type) ? type : '', reason: isString(reason) ? reason : '' };
}

function entriesOf<V>(value: unknown, is: (value: unknown) => value is V): [string, V][] {
  return Object.entries(record(value)).filter((entry): entry is [string, V] => is(entry[1]));
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

const isString = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
