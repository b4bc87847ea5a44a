export type Labels = Readonly<Record<string, string>>;

/** A Kubernetes label selector; an empty one matches everything. */
export interface LabelSelector {
  matchLabels?: Record<string, string> | undefined;
  matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] | undefined }[] | undefined;
}

/** Whether labels match a selector. An operator that is not known matches nothing: it must not open what it was meant to close. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return equal && (selector.matchExpressions ?? []).every(expression => holds(expression, labels));
}

function holds(
  { key, operator, values = [] }: { key: string; operator: string; values?: readonly string[] | undefined },
  labels: Labels,
) {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/**
 * Whether `allowedNamespaces` lets another namespace in. One that is not known yet is not let in. `Same`, which a BotUser
 * has, lets in none: its own namespace is not asked for.
 */
export function allowsNamespace(
  allowed: { from: 'None' | 'Same' | 'All' | 'Selector'; selector?: LabelSelector | undefined },
  labels: Labels | undefined,
): boolean {
  switch (allowed.from) {
    case 'All':
      return true;
    case 'None':
    case 'Same':
      return false;
    case 'Selector':
      return labels !== undefined && allowed.selector !== undefined && selects(allowed.selector, labels);
  }
}
