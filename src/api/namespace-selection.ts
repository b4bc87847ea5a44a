import * as z from 'zod';
import { celIsLabelKey, labelKey, labelValue } from './forms.ts';
import { guarded, text } from './schema.ts';

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

const expression = guarded(
  z.object({
    key: text({ max: 317, form: labelKey }).describe('The key of a label.'),
    operator: z
      .enum(operators)
      .describe('In and NotIn compare with `values`; Exists and DoesNotExist ask only for the key.'),
    values: z
      .array(text({ max: 63, form: labelValue }).describe('A value of the label.'))
      .max(100)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .exactOptional()
      .describe('The values for In and NotIn.'),
  }),
  {
    rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
    message: 'values go with the operators In and NotIn, and only with them',
    fieldPath: '.values',
  },
).describe('One condition on the labels.');

const matchLabels = guarded(z.record(z.string(), text({ max: 63, form: labelValue })).meta({ maxProperties: 32 }), {
  rule: `self.all(k, ${celIsLabelKey('k')})`,
  message: `each key ${labelKey.says}`,
}).describe('Labels that the namespace must have, such as `kubernetes.io/metadata.name: shop`.');

/** A selector of namespaces by their labels. */
export const selector = z
  .object({
    matchLabels: matchLabels.exactOptional(),
    matchExpressions: z
      .array(expression)
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .exactOptional()
      .describe('Conditions that the labels must meet, all of them.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' })
  .describe('Which namespaces, by their labels. An empty one selects all.');

/** What goes with `from`, in every selection. */
const selectorRule = {
  rule: "(self.from == 'Selector') == has(self.selector)",
  message: 'selector goes with from: Selector, and only with it',
  fieldPath: '.selector',
};

/** Which namespaces may use an object of the cluster. */
export const NamespaceSelection = guarded(
  z.object({
    from: z.enum(['None', 'All', 'Selector']).describe('None, All, or those that `selector` selects.'),
    selector: selector.exactOptional(),
  }),
  selectorRule,
).describe('The namespaces whose BotUsers and RobotAccounts may use this issuer. Left out: none.');
export type NamespaceSelection = z.infer<typeof NamespaceSelection>;

/** Which namespaces, beside its own, may use an object of a namespace. */
export const NeighborSelection = guarded(
  z.object({
    from: z
      .enum(['Same', 'All', 'Selector'])
      .describe('Same: only its own namespace. All, or beside its own those that `selector` selects.'),
    selector: selector.exactOptional(),
  }),
  selectorRule,
).describe(
  'The namespaces whose BotTokens may refer to this bot: whoever may create a BotToken there gets its credentials. Left out: only its own.',
);
export type NeighborSelection = z.infer<typeof NeighborSelection>;
