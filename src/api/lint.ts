import { rulesKey } from './schema.ts';
import { keywords, type Structural } from './structural.ts';

const types = ['object', 'array', 'string', 'integer', 'number', 'boolean'];
/** The API server ignores a format that it does not know, with a warning. */
const formats = ['date-time', 'int32', 'int64', 'byte'];

/**
 * What is wrong with a schema, each with its path: what the API server would refuse or ignore, what would make its CEL
 * rules too expensive (no bound), and what would leave a reader of `kubectl explain` without an answer.
 */
export function lint(schema: Structural, path = ''): string[] {
  const problems = checks.flatMap(check => check(schema)).map(problem => `${path || '.'}: ${problem}`);
  return [...problems, ...children(schema).flatMap(([name, child]) => lint(child, path + name))];
}

function children({ properties = {}, items, additionalProperties }: Structural): [string, Structural][] {
  return [
    ...Object.entries(properties).map(([name, child]): [string, Structural] => [`.${name}`, child]),
    ...(items ? [['[]', items] satisfies [string, Structural]] : []),
    ...(additionalProperties ? [['{}', additionalProperties] satisfies [string, Structural]] : []),
  ];
}

type Check = (node: Structural) => string[];

const checks: readonly Check[] = [words, object, array, text, described, patterns, rules, noDefaultInItems];

function words(node: Structural): string[] {
  const unknown = Object.keys(node).filter(key => !keywords.some(keyword => keyword === key));
  return [
    ...unknown.map(key => `${key} cannot stand in a CRD`),
    ...only(!types.includes(node.type ?? ''), `type ${JSON.stringify(node.type)} is not one of ${types.join(', ')}`),
    ...only(
      node.format !== undefined && !formats.includes(node.format),
      `the API server does not know format ${node.format}`,
    ),
  ];
}

function object(node: Structural): string[] {
  if (node.type !== 'object') return [];
  const open = node['x-kubernetes-preserve-unknown-fields'] === true;
  const { properties, additionalProperties, required = [] } = node;
  return [
    ...only(!open && !properties === !additionalProperties, 'needs either properties or additionalProperties'),
    ...only(additionalProperties !== undefined && node.maxProperties === undefined, 'has no maxProperties'),
    ...required.filter(name => !properties?.[name]).map(name => `requires ${name}, which it does not have`),
  ];
}

function array(node: Structural): string[] {
  if (node.type !== 'array') return [];
  const listType = node['x-kubernetes-list-type'];
  const keys = node['x-kubernetes-list-map-keys'] ?? [];
  return [
    ...only(node.items === undefined, 'has no items'),
    ...only(node.maxItems === undefined, 'has no maxItems'),
    ...only(listType === undefined, 'does not say its x-kubernetes-list-type'),
    ...only(listType === 'map' && keys.length === 0, 'is a map without keys'),
    ...keys.filter(key => !node.items?.required?.includes(key)).map(key => `its key ${key} is not required`),
    ...only(listType === 'set' && node.items?.type !== 'string', 'is a set of something else than strings'),
  ];
}

function text(node: Structural): string[] {
  const bounded = node.maxLength !== undefined || node.enum !== undefined || node.format === 'date-time';
  return only(node.type === 'string' && !bounded, 'has no maxLength');
}

function described({ properties = {} }: Structural): string[] {
  const silent = Object.entries(properties).filter(([, child]) => !child.description);
  return silent.map(([name]) => `${name} has no description`);
}

function patterns({ pattern, format }: Structural): string[] {
  // No rule can ask for the text of a time: the API server has read it by then.
  return only(
    pattern !== undefined && format !== 'date-time',
    `pattern ${pattern} has no CEL rule with a sentence beside it`,
  );
}

function rules(node: Structural): string[] {
  const all = node[rulesKey] ?? [];
  const uncorrelated = ['set', 'atomic'].includes(node['x-kubernetes-list-type'] ?? '');
  const below = uncorrelated && node.items ? rulesWithin(node.items) : [];
  return [
    ...all.flatMap(({ rule, message }) => [
      ...only(message.includes('\n') || message === '', `message of ${rule} is not one line`),
      ...only(/\(\?[=!<]|\\[1-9]/.test(rule), `RE2 does not know lookaround and back references: ${rule}`),
    ]),
    ...all.flatMap(({ fieldPath }) =>
      only(fieldPath !== undefined && !has(node, fieldPath), `there is no field ${fieldPath}`),
    ),
    ...below.flatMap(rule => only(rule.includes('oldSelf'), `oldSelf below a set or an atomic list: ${rule}`)),
  ];
}

function rulesWithin(node: Structural): string[] {
  return [
    ...(node[rulesKey] ?? []).map(({ rule }) => rule),
    ...children(node).flatMap(([, child]) => rulesWithin(child)),
  ];
}

/** The name of the object and its like belong to Kubernetes and are not in a CRD. */
function has(node: Structural, fieldPath: string): boolean {
  const found = fieldPath
    .split('.')
    .slice(1)
    .reduce<Structural | undefined>((at, name) => at?.properties?.[name], node);
  return found !== undefined;
}

/** Argo CD would see drift for ever: the default is not in what people applied, and it cannot match list items to fill it in. */
function noDefaultInItems(node: Structural): string[] {
  return only(node.items !== undefined && defaultsWithin(node.items), 'has a default inside its items');
}

function defaultsWithin(node: Structural): boolean {
  return node.default !== undefined || children(node).some(([, child]) => defaultsWithin(child));
}

function only(wrong: boolean, problem: string): string[] {
  return wrong ? [problem] : [];
}
