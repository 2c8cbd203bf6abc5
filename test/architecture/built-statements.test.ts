import { ts } from '@ts-morph/common';
import { expect, it } from 'vitest';
import { parse, SOURCES } from './sources.ts';

/** Statements are made of the code's own text alone. */

/** Of the calls that put text into a statement as it is: those that no source but one may have. */
const AS_IT_IS = /\bsql\s*\.\s*(?:raw|lit|literal|unsafe)\b/;
const HELPER = 'db/literal.ts';

/** What a list is ordered by, where it is neither a name that stands there nor SQL that does. */
function chosenOrders(file: string, text: string): readonly string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const isOrder =
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      node.expression.name.text === 'orderBy';
    if (isOrder && !node.arguments.every(standsThere)) found.push(`${file}: ${node.arguments[0]?.getText()}`);
    ts.forEachChild(node, visit);
  };
  visit(parse(file, text));
  return found;
}
const standsThere = (node: ts.Expression): boolean =>
  ts.isStringLiteralLike(node) ||
  (ts.isTaggedTemplateExpression(node) && ts.isNoSubstitutionTemplateLiteral(node.template));

it('N7: no statement has text of a request: nothing is put in as it is but constants, by one helper', () => {
  const found = [...SOURCES].filter(([file, text]) => file !== HELPER && AS_IT_IS.test(text)).map(([file]) => file);
  expect(found).toEqual([]);
  expect(SOURCES.get(HELPER)).not.toMatch(/\bsql\s*\.\s*raw\b/);
});

it('N7: no list is ordered by what a request says', () => {
  expect([...SOURCES].flatMap(([file, text]) => chosenOrders(file, text))).toEqual([]);
  expect(chosenOrders('x.ts', "a.orderBy('id', 'desc').orderBy(sql`a = 1`)")).toEqual([]);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a source
  expect(chosenOrders('x.ts', 'a.orderBy(column).orderBy(sql`${column}`)')).toHaveLength(2);
});
