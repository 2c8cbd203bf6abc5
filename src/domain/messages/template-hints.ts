import { VARIABLES } from './templates.ts';

export interface HintedText {
  readonly subject?: string | null | undefined;
  readonly message: string;
}
export interface TemplateHint {
  readonly field: 'subject' | 'message';
  /** As it stands in the text, and as it will be printed but for its value. */
  readonly written: string;
  readonly suggested: string;
}
/** How other systems write a variable; here each of them prints its marks. */
const FOREIGN = [
  /\{\{\{?\s*([A-Za-z][\w .-]{0,58})\s*\}?\}\}/g,
  /\$\{\s*([A-Za-z]\w{0,58})\s*\}/g,
  /%([A-Za-z]\w{0,58})%/g,
  /\[\[?([A-Za-z][\w -]{0,58})\]\]?/g,
  /<([A-Za-z]\w{0,58})>/g,
];

/** Marks of other systems around the name of a variable of this message, or of one that is nearly it. Nothing is refused for them. */
export function hintsIn(event: string, text: HintedText): readonly TemplateHint[] {
  const known: readonly string[] = VARIABLES[event] ?? [];
  const bySpelling = new Map(known.map((name) => [name.toLowerCase(), name]));
  return (['subject', 'message'] as const).flatMap((field) =>
    FOREIGN.flatMap((pattern) =>
      [...(text[field] ?? '').matchAll(pattern)].flatMap(([written, name = '']) => {
        const spelling = name.replaceAll(/[^A-Za-z0-9]/g, '');
        const variable = bySpelling.get(spelling.toLowerCase());
        return variable === undefined ? [] : [{ field, written, suggested: `{${variable}}` }];
      }),
    ),
  );
}
