/**
 * Templates (domain.md 13): `{name}`, `{name|Default}`, `{{` and `}}` for literal braces. One pass, so a value that
 * looks like a placeholder is printed as it is; own keys only, so `{constructor}` names nothing. A template's text is
 * trusted, a value never is: it is escaped for the place where it lands.
 */

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string; readonly fallback: string | null };
export type TemplateText = readonly TemplatePart[];
export type TemplateValues = Readonly<Record<string, string | null | undefined>>;

export type Rendered =
  | { readonly ok: true; readonly text: string }
  /** Names of the variables that have neither a value nor a default: such a message is not sent. */
  | { readonly ok: false; readonly missing: readonly string[] };

export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

const TOKEN = /\{\{|\}\}|\{([A-Za-z][A-Za-z0-9]*)(?:\|([^{}]*))?\}|[{}]/g;

/** Throws `TemplateError` for a brace that is neither doubled nor part of a placeholder. */
export function parseTemplate(source: string): TemplateText {
  const parts: TemplatePart[] = [];
  let literal = '';
  let end = 0;
  for (const match of source.matchAll(TOKEN)) {
    const [token, name, fallback] = match;
    literal += source.slice(end, match.index);
    end = match.index + token.length;
    if (name !== undefined) {
      if (literal) parts.push({ kind: 'text', text: literal });
      literal = '';
      parts.push({ kind: 'variable', name, fallback: fallback ?? null });
    } else if (token === '{{' || token === '}}') {
      literal += token.charAt(0);
    } else {
      throw new TemplateError(`a single ${token} at ${match.index}`);
    }
  }
  literal += source.slice(end);
  if (literal) parts.push({ kind: 'text', text: literal });
  return parts;
}

export const variablesOf = (template: TemplateText): readonly string[] => [
  ...new Set(template.flatMap((part) => (part.kind === 'variable' ? [part.name] : []))),
];

/** C0, DEL, C1, and the two Unicode line ends; what ends a header line, or hides text in a log or a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to find
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** Every value of ours is one line (a name, a date, a code), so control characters become a space everywhere. */
export const singleLine = (value: string): string => value.replace(CONTROL, ' ').trim();

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => HTML_ENTITIES[char] ?? char);

/** For subjects, SMS and the text part of a mail. */
export const renderText = (template: TemplateText, values: TemplateValues): Rendered =>
  render(template, values, (text) => text);

/** A whole HTML document: paragraphs where the template has empty lines. */
export function renderHtml(template: TemplateText, values: TemplateValues): Rendered {
  const body = render(template, values, escapeHtml);
  if (!body.ok) return body;
  const paragraphs = body.text
    .split(/\n{2,}/)
    .map((paragraph) => `<p style="margin:0 0 16px">${paragraph.replaceAll('\n', '<br>')}</p>`);
  return { ok: true, text: LAYOUT.replace('<!--content-->', () => paragraphs.join('')) };
}

/** Inline styles only: mail programs drop style sheets. */
const LAYOUT = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body style="margin:0;padding:24px 12px;background:#f4f5f7"><div style="max-width:560px;margin:0 auto;padding:28px 32px;background:#fff;border-radius:12px;font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif;color:#1f2933">
<p style="margin:0 0 20px;font-weight:700;color:#0b5f59">Roomy</p><!--content-->
<p style="margin:24px 0 0;font-size:13px;color:#5c6773">Roomy property management</p></div></body></html>`;

function render(template: TemplateText, values: TemplateValues, encode: (text: string) => string): Rendered {
  const missing: string[] = [];
  let text = '';
  for (const part of template) {
    if (part.kind === 'text') {
      text += encode(part.text);
      continue;
    }
    const given = Object.hasOwn(values, part.name) ? values[part.name] : null;
    // An empty value counts as none: never `Dear ,`.
    const value = singleLine(given ?? '') || part.fallback;
    if (value === null) missing.push(part.name);
    else text += encode(value);
  }
  return missing.length > 0 ? { ok: false, missing } : { ok: true, text };
}
