import fs from 'node:fs';
import path from 'node:path';

import mjml from 'mjml';

/**
 * `npm run mail-layout`: compiles the layout of mails (MJML) to what is sent, once for each direction of writing, so that
 * nothing is compiled while the system runs. A test sees to it that the result is that of the source.
 */

const FOLDER = path.resolve(import.meta.dirname, '../src/domain/messages');
const SOURCE = path.join(FOLDER, 'mail-layout.mjml');
const RESULT = path.join(FOLDER, 'mail-layout.ts');

/** By direction, as `LAYOUTS` should be. */
export async function compileLayouts(): Promise<Record<'ltr' | 'rtl', string>> {
  const source = fs.readFileSync(SOURCE, 'utf8');
  const compile = async (direction: string, start: string): Promise<string> => {
    const text = source.replaceAll('@dir', direction).replaceAll('@start', start);
    const { html, errors } = await mjml(text, { validationLevel: 'strict', keepComments: true });
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    return html
      .replaceAll(/\n\s*/g, '\n')
      .replaceAll(/\n{2,}/g, '\n')
      .trim();
  };
  return { ltr: await compile('ltr', 'left'), rtl: await compile('rtl', 'right') };
}

if (process.argv[1] === import.meta.filename) {
  const layouts = JSON.stringify(await compileLayouts());
  fs.writeFileSync(
    RESULT,
    `/** Compiled from mail-layout.mjml by \`npm run mail-layout\`; not to be edited. */\nexport const LAYOUTS = ${layouts} as const;\n`,
  );
}
