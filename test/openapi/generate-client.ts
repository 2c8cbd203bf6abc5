import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

/**
 * The types of a client, by openapi-typescript, from a served document. The generator prints with the TypeScript
 * compiler’s library, which TypeScript 7 does not have any more: it gets the one inside ts-morph instead.
 */
const library = pathToFileURL(createRequire(import.meta.url).resolve('@ts-morph/common/dist/typescript.js')).href;

export async function generateClientTypes(document: object): Promise<string> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'typescript' ? { url: library, format: 'commonjs', shortCircuit: true } : next(specifier, context),
  });
  try {
    const { astToString, default: generate } = await import('openapi-typescript');
    return astToString(await generate(structuredClone(document) as Parameters<typeof generate>[0]));
  } finally {
    hooks.deregister();
  }
}
