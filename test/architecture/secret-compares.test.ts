import { ts } from '@ts-morph/common';
import { expect, it } from 'vitest';
import { parse, SOURCES } from './sources.ts';

/** What proves something is never compared by an operator that stops at the first difference. */

/** The last name of an operand: `request.signature`, `given.mac`, `token`, `keyHash`. */
const PROOF = /(?:^|[a-z_])(?:mac|signature|token|digest|hash|secret|password|otp|api_?key)$/i;
const isNamedForProof = (name: string): boolean => PROOF.test(name) && !/^[A-Z_]+$/.test(name);
const OPERATORS = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
]);
/** By file: what is compared there, and proves nothing. */
const HARMLESS: Readonly<Record<string, string>> = {
  // The name of the template of a digest, which is a mail.
  'domain/messages/delivery-conditions.ts': 'template !== message.digest',
};

const nameOf = (node: ts.Expression): string => {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression))
    return node.argumentExpression.text;
  if (ts.isCallExpression(node)) return nameOf(node.expression);
  return ts.isIdentifier(node) ? node.text : '';
};
const isConstant = (node: ts.Expression): boolean =>
  ts.isLiteralExpression(node) ||
  ts.isTypeOfExpression(node) ||
  [ts.SyntaxKind.NullKeyword, ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword].includes(node.kind) ||
  (ts.isIdentifier(node) && node.text === 'undefined');
/** Whether a text is in its one spelling: it is compared with itself, decoded and encoded again. */
const isSpelling = (node: ts.Expression): boolean => /\.toString\('base64url'\)$/.test(node.getText());

function comparesIn(file: string, text: string): readonly string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && OPERATORS.has(node.operatorToken.kind)) {
      const sides = [node.left, node.right];
      const isAboutProof = sides.some((side) => isNamedForProof(nameOf(side)));
      if (isAboutProof && !sides.some((side) => isConstant(side) || isSpelling(side))) found.push(node.getText());
    }
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { expression, name } = node.expression;
      const isEqual = ['equals', 'compare', 'localeCompare'].includes(name.text);
      if (isEqual && /(?:^|[a-z_])(?:mac|signature|token|secret|password)$/i.test(nameOf(expression)))
        found.push(node.getText());
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(file, text));
  return found.filter((compare) => HARMLESS[file] !== compare);
}

it('K9: no source compares a token, a MAC or a secret by an operator', () => {
  const wrong = [...SOURCES].flatMap(([file, text]) => comparesIn(file, text).map((what) => `${file}: ${what}`));
  expect(wrong).toEqual([]);
});

it('K9: finds the comparisons that it looks for', () => {
  for (const wrong of [
    'given.mac === macOf(body)',
    'if (signature !== expected) throw x',
    'return token == row.token',
    "headers['signature'] === right",
    'mac.equals(given)',
    'row.api_key === key',
  ])
    expect(comparesIn('x.ts', wrong), wrong).toHaveLength(1);
  for (const right of [
    'token === undefined',
    "typeof token === 'string'",
    "secret !== ''",
    'timingSafeEqual(mac, given)',
    "bytes.toString('base64url') === token",
    'row.request_hash.equals(hash)',
    'tokens === others',
  ])
    expect(comparesIn('x.ts', right), right).toEqual([]);
});
