import { directionOf } from './locales.ts';
import { contentOf, documentOf, escapeHtml, frameFor, type MailParts } from './mail-frame.ts';
import { asGsm } from './segments.ts';
import { isOptional } from './variables/index.ts';

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

/** The names of the variables of a parsed text, each once, in the order of their first use. */
export const variablesOf = (template: TemplateText): readonly string[] => [
  ...new Set(template.flatMap((part) => (part.kind === 'variable' ? [part.name] : []))),
];

/** C0, DEL, C1, and the two Unicode line ends; what ends a header line, or hides text in a log or a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to find
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** Every value of ours is one line (a name, a date, a code), so control characters become a space everywhere. */
export const singleLine = (value: string): string => value.replace(CONTROL, ' ').trim();

/** For subjects, SMS and the text part of a mail. Where the text runs the other way, a value keeps its own direction. */
export const renderText = (template: TemplateText, values: TemplateValues, locale = 'en'): Rendered =>
  render(template, values, (text) => text, directionOf(locale) === 'rtl' ? isolated : unchanged);

const unchanged = (value: string): string => value;
/** First strong isolate and its end (UAX 9). */
const isolated = (value: string): string => `\u2068${value}\u2069`;
const isolatedHtml = (value: string): string => `<bdi>${value}</bdi>`;

/** A variable whose name ends so is an address. */
const isAddress = (name: string): boolean => name.endsWith('Url');
const THIS_MACHINE: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
/** Percent-encoded, and https only, but for a stand-in on this machine (domain.md 13). Null: none that may be followed. */
function addressOf(value: string): string | null {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (!url || (url.protocol !== 'https:' && !(url.protocol === 'http:' && THIS_MACHINE.has(url.hostname)))) return null;
  return url.href;
}
const BUTTON =
  'display:inline-block;padding:12px 22px;border-radius:8px;background:#0b5f59;color:#ffffff;font-weight:600;text-decoration:none';
const buttonIn =
  (locale: string) =>
  (address: string): string =>
    `<a href="${escapeHtml(address)}" style="${BUTTON}">${directionOf(locale) === 'rtl' ? 'فتح الصفحة' : 'Open the page'}</a>`;

/** A whole HTML document, with the parts that it is put together from. */
export function renderHtml(
  template: TemplateText,
  values: TemplateValues,
  { locale = 'en', title = '' }: { readonly locale?: string; readonly title?: string } = {},
): (Rendered & { readonly ok: false }) | (Rendered & { readonly ok: true; readonly parts: MailParts }) {
  const isolate = directionOf(locale) === 'rtl' ? isolatedHtml : unchanged;
  const body = render(template, values, escapeHtml, isolate, buttonIn(locale));
  if (!body.ok) return body;
  const frame = frameFor(locale);
  const parts = { frame: frame.id, locale, content: contentOf(body.text) };
  return { ok: true, text: documentOf(frame, parts, title), parts };
}

export interface RenderedMessage {
  /** Null for SMS. */
  readonly subject: string | null;
  readonly text: string;
  /** Null for SMS. */
  readonly html: string | null;
  /** Of `html`; null for SMS. */
  readonly parts: MailParts | null;
}

/** The message as it goes out over a channel, or the names of the values that it lacks. */
export function renderMessage(
  {
    locale,
    subject,
    message,
  }: { readonly locale: string; readonly subject: TemplateText; readonly message: TemplateText },
  channel: 'EMAIL' | 'SMS',
  values: TemplateValues,
): RenderedMessage | { readonly missing: readonly string[] } {
  const kept = withoutEmptyLines(message, values);
  const text = renderText(kept, values, locale);
  if (channel === 'SMS') return text.ok ? { subject: null, text: asGsm(text.text), html: null, parts: null } : text;
  const title = renderText(subject, values, locale);
  const html = renderHtml(kept, values, { locale, title: title.ok ? title.text : '' });
  if (title.ok && text.ok && html.ok)
    return { subject: title.text, text: text.text, html: html.text, parts: html.parts };
  return { missing: [...new Set([title, text, html].flatMap((part) => (part.ok ? [] : part.missing)))] };
}

function render(
  template: TemplateText,
  values: TemplateValues,
  encode: (text: string) => string,
  isolate: (value: string) => string,
  link: (address: string) => string = unchanged,
): Rendered {
  const missing: string[] = [];
  let text = '';
  for (const part of template) {
    if (part.kind === 'text') {
      text += encode(part.text);
      continue;
    }
    const line = lineOf(part, values);
    const value = line !== null && isAddress(part.name) ? addressOf(line) : line;
    if (value === null) missing.push(part.name);
    else if (isAddress(part.name)) text += link(value);
    // Within an address that the text itself has.
    else if (/https:\/\/\S*$/i.test(text)) text += encodeURIComponent(value);
    else text += isolate(encode(value));
  }
  return missing.length > 0 ? { ok: false, missing } : { ok: true, text };
}

/** An empty value, or default, counts as none: never `Dear ,`. */
function lineOf(
  { name, fallback }: Extract<TemplatePart, { kind: 'variable' }>,
  values: TemplateValues,
): string | null {
  const given = Object.hasOwn(values, name) ? values[name] : null;
  return singleLine(given ?? '') || (fallback?.trim() ? fallback : null);
}

/** Without the lines that name an optional variable which has no value, and without the gaps that they leave. */
function withoutEmptyLines(template: TemplateText, values: TemplateValues): TemplateText {
  const isEmpty = (part: TemplatePart): boolean =>
    part.kind === 'variable' && isOptional(part.name) && lineOf(part, values) === null;
  if (!template.some(isEmpty)) return template;
  const isBlank = (line: TemplateText | undefined): boolean =>
    line === undefined || line.every((part) => part.kind === 'text' && part.text.trim() === '');
  const lines: TemplateText[] = [];
  for (const line of linesOf(template)) {
    if (!line.some(isEmpty) && !(isBlank(line) && isBlank(lines.at(-1)))) lines.push(line);
  }
  if (isBlank(lines.at(-1))) lines.pop();
  return lines.flatMap((line, index) => (index === 0 ? line : [{ kind: 'text' as const, text: '\n' }, ...line]));
}

function linesOf(template: TemplateText): readonly TemplateText[] {
  const lines: TemplatePart[][] = [[]];
  for (const part of template) {
    const [here, ...next] = part.kind === 'text' ? part.text.split('\n') : [part];
    const asPart = (piece: string | TemplatePart): TemplatePart =>
      typeof piece === 'string' ? { kind: 'text', text: piece } : piece;
    if (here !== undefined) lines.at(-1)?.push(asPart(here));
    for (const piece of next) lines.push([asPart(piece)]);
  }
  return lines;
}
