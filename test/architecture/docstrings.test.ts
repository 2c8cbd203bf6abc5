import { describe, expect, it } from 'vitest';
import { exportedFunctions, SOURCES } from './sources.ts';

describe('every exported function of the engine and the domain', () => {
  it('has a docstring', () => {
    const lacking = [...SOURCES]
      .filter(([file]) => /^(?:engine|domain)\//.test(file))
      .filter(([file, text]) => exportedFunctions(file, text).some(({ hasDoc }) => !hasDoc))
      .map(([file]) => file);
    expect(lacking).toEqual([]);
  });

  it('is found in each of its forms, with its comment or without', () => {
    const text = [
      '/** A. */\nexport function a() {}',
      'export async function b() {}',
      '/** C. */\nexport const c = () => 1;',
      '// D.\nexport const d = async () => 1;',
      'export const e = 1;',
      'function f() {}',
    ].join('\n');
    expect(exportedFunctions('x.ts', text)).toEqual([
      { name: 'a', hasDoc: true },
      { name: 'b', hasDoc: false },
      { name: 'c', hasDoc: true },
      { name: 'd', hasDoc: false },
    ]);
  });
});
