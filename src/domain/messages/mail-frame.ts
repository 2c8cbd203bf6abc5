import { sha256OfBytes } from '../../kernel/json.ts';
import { directionOf } from './locales.ts';
import { LAYOUTS } from './mail-layout.ts';

/**
 * A mail is a frame, the same for all mails of one direction of writing, around a content of its own. What keeps mails, keeps
 * the frame once: it is twenty times as long.
 */

/** What `documentOf` makes a mail of, besides its subject. */
export interface MailParts {
  /** The id of the frame. */
  readonly frame: string;
  /** BCP 47, of the text. */
  readonly locale: string;
  /** HTML: paragraphs, and tables of facts. */
  readonly content: string;
}
export interface MailFrame {
  /** By its bytes: another layout has another id. */
  readonly id: string;
  /** A whole document, with `<!--title-->`, `<!--preheader-->`, `<!--content-->` and `@lang` where the mail's own parts stand. */
  readonly html: string;
}

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** Text for an HTML element or a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => HTML_ENTITIES[char] ?? char);

type Direction = keyof typeof LAYOUTS;
const FOOTS: Readonly<Record<Direction, string>> = {
  ltr: 'Roomy property management',
  rtl: 'روومي لإدارة العقارات',
};
const ID_CHARACTERS = 16;
function frameIn(direction: Direction): MailFrame {
  const html = LAYOUTS[direction].replace('<!--foot-->', FOOTS[direction]);
  return { id: sha256OfBytes(Buffer.from(html)).toString('hex').slice(0, ID_CHARACTERS), html };
}
const FRAMES: Readonly<Record<Direction, MailFrame>> = { ltr: frameIn('ltr'), rtl: frameIn('rtl') };

/** The frame of a text in that language. */
export const frameFor = (locale: string): MailFrame => FRAMES[directionOf(locale)];
/** A frame of this build; undefined: of another one. */
export const frameOfId = (id: string): MailFrame | undefined => Object.values(FRAMES).find((frame) => frame.id === id);

const PLACES = /(<!--\w+-->|@lang)/;
/** Frames cut at their places: text and places in turns. */
const cut = new WeakMap<MailFrame, readonly string[]>();
function piecesOf(frame: MailFrame): readonly string[] {
  const known = cut.get(frame) ?? frame.html.split(PLACES);
  cut.set(frame, known);
  return known;
}

/** The whole HTML document of a mail, in one pass: what a value holds is not looked at again. */
export function documentOf(
  frame: MailFrame,
  { locale, content }: Omit<MailParts, 'frame'>,
  /** As text. */
  title: string,
): string {
  const [preheader = ''] = paragraphsIn(content).filter((text) => text.length > 40);
  const parts: Readonly<Record<string, string>> = {
    '<!--title-->': escapeHtml(title),
    '<!--preheader-->': preheader.replaceAll('\n', ' '),
    '<!--content-->': content,
    '@lang': escapeHtml(locale),
  };
  return piecesOf(frame)
    .map((piece, index) => (index % 2 === 0 ? piece : (parts[piece] ?? piece)))
    .join('');
}

/** The content of a text whose values are encoded: paragraphs where it has empty lines, a table where every line names a fact. */
export const contentOf = (text: string): string =>
  text
    .split(/\n{2,}/)
    .map(paragraphOf)
    .join('');

function paragraphOf(text: string): string {
  const lines = text.split('\n');
  const facts = lines.map((line) => FACT.exec(line));
  if (lines.length < 2 || facts.some((fact) => fact === null)) return `<p>${lines.join('<br>')}</p>`;
  const rows = facts.map((fact) => `<tr><th scope="row">${fact?.[1]}</th><td>${fact?.[2]}</td></tr>`);
  return `<table class="facts">${rows.join('')}</table>`;
}
/** `Arrival: 1 June 2027`. */
const FACT = /^([^:<&]{1,30}): (.+)$/;

/** The paragraphs that `contentOf` has made a content of. */
const paragraphsIn = (content: string): readonly string[] =>
  [...content.matchAll(/<p>(.*?)<\/p>|<table class="facts"><tr>(.*?)<\/tr><\/table>/gs)].map(([, lines, facts]) =>
    lines === undefined
      ? (facts ?? '')
          .replaceAll('</tr><tr>', '\n')
          .replaceAll('</th><td>', ': ')
          .replaceAll(/<th scope="row">|<\/td>/g, '')
      : lines.replaceAll('<br>', '\n'),
  );
