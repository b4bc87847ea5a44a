import { parseAllDocuments } from 'yaml';
import type { Meaning } from './conditions.ts';
import { type KindShape, schemaOf } from './crd.ts';
import { type Rule, rulesKey } from './schema.ts';
import type { Structural } from './structural.ts';
import { yamlOf } from './yaml.ts';

/** The reference page of a kind: every field with its type, default, rules and description. */
export function kindPage(kind: KindShape, example: string): string {
  const schema = schemaOf(kind);
  const { spec, status } = schema.properties ?? {};
  return lines(
    `# ${kind.kind}`,
    schema.description,
    `\`apiVersion: ${kind.group}/${kind.version}\`, ${kind.namespaced ? 'in a namespace' : 'one for the whole cluster'}. Short for kubectl: ${kind.shortNames.map(mono).join(', ')}.${kind.inCategory ? ' All kinds of botmint at once: `kubectl get botmint`.' : ''}`,
    `\`\`\`yaml\n${example.trim()}\n\`\`\``,
    '## spec',
    ...(spec ? [spec.description, ruleList(rulesBelow(schema, '.spec')), ...fields(spec, 'spec')] : []),
    '## status',
    ...(status
      ? [
          status.description,
          'See [conditions](conditions.md) for the words in `conditions`.',
          ...fields(status, 'status'),
        ]
      : []),
  );
}

/** Rules of the object and of its spec: both are about several fields at once. */
function rulesBelow(schema: Structural, path: string): Rule[] {
  const own = schema[rulesKey] ?? [];
  return [...own.filter(rule => rule.fieldPath?.startsWith(path)), ...(schema.properties?.spec?.[rulesKey] ?? [])];
}

function fields(node: Structural, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const here = `${path}.${name}`;
    const required = node.required?.includes(name) ?? false;
    return [
      `### ${here}`,
      facts(child, required),
      child.description ?? '',
      ruleList(rulesOf(child)),
      ...below(child, here),
    ];
  });
}

function below(node: Structural, path: string): string[] {
  if (node.items) return fields(node.items, `${path}[]`);
  return fields(node, path);
}

/** The rules of a field and of what it is made of, which has no heading of its own. */
function rulesOf(node: Structural): readonly Rule[] {
  const parts = [node.items, node.additionalProperties].flatMap(part => part?.[rulesKey] ?? []);
  return [...(node[rulesKey] ?? []), ...parts.map(rule => ({ ...rule, message: `each: ${rule.message}` }))];
}

function facts(node: Structural, required: boolean): string {
  const facts = [
    typeName(node),
    required ? 'required' : 'optional',
    ...(node.default === undefined ? [] : [`default ${mono(JSON.stringify(node.default))}`]),
    ...(node.enum ? [`one of ${node.enum.map(mono).join(', ')}`] : []),
    ...(node.items?.enum ? [`each one of ${node.items.enum.map(mono).join(', ')}`] : []),
    ...bounds(node),
  ];
  return facts.join(' · ');
}

function typeName(node: Structural): string {
  if (node.format === 'date-time') return 'time (RFC 3339)';
  if (node.items?.type === 'object') return `list of objects${keyed(node)}`;
  if (node.items)
    return `list of ${node.items.type}s${node['x-kubernetes-list-type'] === 'set' ? ' without duplicates' : ''}`;
  if (node.additionalProperties) return `map of ${node.additionalProperties.type}s`;
  return node.type ?? 'any';
}

function keyed(node: Structural): string {
  const keys = node['x-kubernetes-list-map-keys'] ?? [];
  return keys.length === 0 ? '' : `, each with another ${keys.map(mono).join(', ')}`;
}

function bounds(node: Structural): string[] {
  const characters = node.maxLength ?? node.items?.maxLength ?? node.additionalProperties?.maxLength;
  const entries = node.maxItems ?? node.maxProperties;
  return [
    ...(entries === undefined ? [] : [`at most ${entries} entries`]),
    ...(characters === undefined
      ? []
      : [`at most ${characters} characters${node.maxLength === undefined ? ' each' : ''}`]),
  ];
}

function ruleList(rules: readonly Rule[]): string {
  return rules
    .map(({ message, fieldPath }) => `- ${fieldPath ? `${mono(fieldPath.replace(/^\./, ''))}: ` : ''}${message}`)
    .join('\n');
}

/** The page about conditions, with every reason. */
export function conditionsPage(reasons: Readonly<Record<string, Meaning>>): string {
  return lines(
    '# Conditions',
    'Every object of botmint has three conditions from its first reconcile on. They follow kstatus, so that `kubectl wait --for=condition=Ready`, Argo CD and Flux read them.',
    [
      '| Ready | Reconciling | Stalled | what it means |',
      '| --- | --- | --- | --- |',
      '| True | False | False | What was asked for is done. A planned rotation does not change this. |',
      '| False | True | False | Not yet; botmint goes on by itself. |',
      '| False | False | True | Only a change can help. `reason` and `message` say which. |',
    ].join('\n'),
    'A new object has `status.observedGeneration: -1` until botmint has seen it. All three conditions have the same `reason` and `message`; events and metrics use the same words.',
    '## Reasons',
    [
      '| reason | seen on | cause | remedy |',
      '| --- | --- | --- | --- |',
      ...Object.entries(reasons).map(reasonRow),
    ].join('\n'),
  );
}

/** A reason as the page shows it: where it is seen, its cause, and what helps. */
function reasonRow([reason, { cause, on, remedy = '–' }]: [string, Meaning]): string {
  const seen = Object.entries(on).map(
    ([kind, states]) => `${kind} (${states.map(state => columns[state]).join(', ')})`,
  );
  return `| ${mono(reason)} | ${seen.join('; ')} | ${cause} | ${remedy} |`;
}

/** Each state by the one condition of the three that is True in it. */
const columns = { ready: 'Ready', reconciling: 'Reconciling', stalled: 'Stalled' } as const;

/** The first manifest of a kind, without the comment that introduces its file. */
export function exampleOf(kind: string, manifests: string): string {
  const documents = parseAllDocuments(manifests);
  const document = documents.find(each => each.get('kind') === kind);
  if (document === undefined) throw new Error(`no example has a ${kind}`);
  return yamlOf(document.toJS());
}

function mono(text: string): string {
  return `\`${text}\``;
}

function lines(...parts: (string | undefined)[]): string {
  return `${parts.filter(part => part !== undefined && part !== '').join('\n\n')}\n`;
}
