import { Document, Scalar, visit } from 'yaml';

/** Keys whose texts are code: a line break inside would have to be undone before it can be read or copied. */
const code = ['rule', 'messageExpression'];

/** YAML for people who read it: sentences are folded, code stays on its line. */
export function yamlOf(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Pair: (_, { key, value: scalar }) => {
      const text = key instanceof Scalar && scalar instanceof Scalar && typeof scalar.value === 'string';
      if (text && code.includes(String(key.value))) scalar.type = Scalar.BLOCK_LITERAL;
      if (text && key.value === 'description' && String(scalar.value).length > 80) scalar.type = Scalar.BLOCK_FOLDED;
    },
  });
  return document.toString({ lineWidth: 120 });
}
