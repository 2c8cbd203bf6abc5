import { describe, expect, it } from 'vitest';
import { BROWSER_FILES, functionLengths, SOURCES } from './sources.ts';

const MAX_FILE_LINES = 350;
const MAX_FUNCTION_LINES = 80;

describe('the source', () => {
  const written = [...SOURCES, ...BROWSER_FILES].filter(([file]) => !file.endsWith('.generated.ts'));

  it('has no file over 350 lines', () => {
    const long = written.filter(([, text]) => text.trimEnd().split('\n').length > MAX_FILE_LINES);
    expect(long.map(([file]) => file)).toEqual([]);
  });

  it('has no function over 80 lines', () => {
    const scripts = written.filter(([file]) => !file.endsWith('.css'));
    const long = scripts.flatMap(([file, text]) =>
      functionLengths(file, text)
        .filter(({ lines }) => lines > MAX_FUNCTION_LINES)
        .map(({ name }) => `${file}: ${name}`),
    );
    expect(long).toEqual([]);
  });

  it('has its functions counted, nested ones too', () => {
    const text = 'const a = () => {\n  function b() {}\n  return b;\n};\nconst o = {\n  c() {\n  },\n};';
    expect(functionLengths('x.ts', text)).toEqual([
      { name: 'a', lines: 4 },
      { name: 'b', lines: 1 },
      { name: 'c', lines: 2 },
    ]);
  });
});
