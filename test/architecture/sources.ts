import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ts } from '@ts-morph/common';

const root = path.join(import.meta.dirname, '../../src');

/** The files of `src` without tests, by their path from there with forward slashes. */
export const SOURCES: ReadonlyMap<string, string> = new Map(
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .toSorted()
    .map((file) => [file.split(path.sep).join('/'), readFileSync(path.join(root, file), 'utf8')]),
);

/** The scripts and styles that a browser gets, likewise. */
export const BROWSER_FILES: ReadonlyMap<string, string> = new Map(
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:js|css)$/.test(file))
    .toSorted()
    .map((file) => [file.split(path.sep).join('/'), readFileSync(path.join(root, file), 'utf8')]),
);

export const parse = (file: string, text: string): ts.SourceFile =>
  ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);

const isExported = (node: ts.HasModifiers): boolean =>
  node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
const isFunction = (node: ts.Node | undefined): boolean =>
  node !== undefined && (ts.isArrowFunction(node) || ts.isFunctionExpression(node));

/** The exported functions of a file, and whether a JSDoc comment stands directly before each. */
export function exportedFunctions(file: string, text: string): { readonly name: string; readonly hasDoc: boolean }[] {
  const source = parse(file, text);
  return source.statements.flatMap((node) => {
    const names =
      ts.isFunctionDeclaration(node) && isExported(node)
        ? [node.name?.text ?? 'default']
        : ts.isVariableStatement(node) && isExported(node)
          ? node.declarationList.declarations
              .filter(({ initializer }) => isFunction(initializer))
              .map(({ name }) => name.getText(source))
          : [];
    const hasDoc = /\*\/\s*$/.test(text.slice(node.getFullStart(), node.getStart(source, false)));
    return names.map((name) => ({ name, hasDoc }));
  });
}

/** The functions of a file, methods and nested ones too, with how many lines each has. */
export function functionLengths(file: string, text: string): { readonly name: string; readonly lines: number }[] {
  const source = parse(file, text);
  const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
  const found: { name: string; lines: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      const owner = ts.isVariableDeclaration(node.parent) ? node.parent : node;
      const name = owner.name?.getText(source) ?? 'anonymous';
      found.push({ name, lines: lineOf(node.getEnd()) - lineOf(node.getStart(source)) + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
