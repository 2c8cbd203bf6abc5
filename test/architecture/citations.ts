import path from 'node:path';

/** Reads what comments and documents refer to. Pure: `citations.test.ts` gives it the files. */

/** `file` is relative to the root of the project. */
export interface Document {
  readonly file: string;
  readonly text: string;
}

/** `guarantees.md 2.4`, or with what must stand in that section: `E1 and E2 of guarantees.md 2.9`. */
export interface Citation {
  readonly name: string;
  /** Null: the document as a whole. */
  readonly section: string | null;
  readonly within: readonly string[];
}

const SECTION = String.raw`(?:\d+(?:\.\d+)*|[A-Z]{1,2}\d{1,2})\b`;
const TERM = String.raw`[A-Z]{1,2}\d{0,2}\b`;
const CITATION = new RegExp(
  String.raw`((?:\b${TERM}(?:, | and | to ))*\b${TERM} of )?([\w./-]*?)([\w-]+)\.md\b((?: ${SECTION})(?:(?:, and |, | and )${SECTION})*)?`,
  'g',
);
/** The prefix of a line of a comment, and what joins two lines of prose. */
const LINE_BREAK = /\n[ \t]*(?:\*|\/\/|--)?[ \t]*/g;

export function citationsIn(text: string): readonly Citation[] {
  return [...text.replace(LINE_BREAK, ' ').matchAll(CITATION)].flatMap((match) => {
    const [, terms = '', folder = '', name = '', tail = ''] = match;
    // An address, or a link, which is looked at as one.
    if (/:\/\//.test(folder) || folder.startsWith('.')) return [];
    const sections: readonly (string | null)[] = tail.match(new RegExp(SECTION, 'g')) ?? [null];
    const within = terms.match(new RegExp(TERM, 'g')) ?? [];
    return sections.map((section) => ({ name: `${name}.md`, section, within }));
  });
}

/** Citations that do not resolve, once each. */
export function unresolved(citations: readonly Citation[], documents: readonly Document[]): readonly string[] {
  const wrong = new Set<string>();
  for (const { name, section, within } of citations) {
    const named = documents.filter(({ file }) => path.posix.basename(file) === name);
    if (named.length === 0) wrong.add(name);
    if (named.length === 0 || section === null) continue;
    const body = named.map(({ text }) => sectionOf(text, section)).find((found) => found !== null);
    if (body === undefined) wrong.add(`${name} ${section}`);
    for (const term of within) {
      if (body && !new RegExp(`\\b${term}\\b`).test(body)) wrong.add(`${term} of ${name} ${section}`);
    }
  }
  return [...wrong];
}

interface Heading {
  readonly level: number;
  readonly title: string;
  readonly line: number;
}
function headingsOf(text: string): readonly Heading[] {
  return withoutCode(text)
    .split('\n')
    .flatMap((content, line) => {
      const [, marks = '', title = ''] = /^(#{1,6}) +(.+?) *#*$/.exec(content) ?? [];
      return marks === '' ? [] : [{ level: marks.length, title, line }];
    });
}

/** The text of a section up to the next one of its level; null: there is none. */
function sectionOf(text: string, section: string): string | null {
  const headings = headingsOf(text);
  const at = headings.findIndex(({ title }) => title.split(/[ .:]+(?=\D)|[ :]/)[0] === section);
  const heading = headings[at];
  if (!heading) return null;
  const next = headings.slice(at + 1).find(({ level }) => level <= heading.level);
  return text.split('\n').slice(heading.line, next?.line).join('\n');
}

/** Blocks of code, with as many empty lines in their place. */
const withoutCode = (text: string): string =>
  text.replace(/^(```|~~~)[\s\S]*?^\1[ \t]*$/gm, (block) => block.replace(/[^\n]/g, ''));

/** Links of `[text](target)` and `[name]: target`, outside of code. */
const LINK = /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)/gm;

/** Relative links whose file or heading is not there. */
export function brokenLinks(
  { file, text }: Document,
  documents: readonly Document[],
  exists: (file: string) => boolean,
): readonly string[] {
  const targets = [
    ...withoutCode(text)
      .replace(/`[^`\n]*`/g, '')
      .matchAll(LINK),
  ].map((match) => match[1] ?? match[2] ?? '');
  const wrong = targets.filter((target) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return false;
    const [to = '', anchor] = decodeURI(target).split('#');
    const aim = to === '' ? file : path.posix.join(path.posix.dirname(file), to);
    if (to !== '' && !exists(aim.replace(/\/$/, ''))) return true;
    const document = documents.find((one) => one.file === aim);
    return anchor !== undefined && document !== undefined && !anchorsOf(document.text).has(anchor);
  });
  return wrong.map((target) => `${file}: ${target}`);
}

/** As GitHub makes them: the second of the same heading ends in `-1`. */
function anchorsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = headingsOf(text).map(({ title }) => {
    const slug = title
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
  const named = [...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map((match) => match[1] ?? '');
  return new Set([...anchors, ...named]);
}

const PATH = /`((?:src|test|bench|scripts|migrations)\/[^`\s]*)`/g;
/** Files that a document has its reader make: `<!-- made by the reader: src/sagas/gift.ts -->`. */
const MADE = /<!-- made by the reader: ([^>]*?) -->/g;

/**
 * Paths of sources in backticks that are not there. Of a path with a placeholder (`src/sagas/<name>.ts`, `test/faults/*`),
 * the folder before it must be.
 */
export function brokenPaths({ file, text }: Document, exists: (file: string) => boolean): readonly string[] {
  const made = new Set([...text.matchAll(MADE)].flatMap((match) => (match[1] ?? '').split(/[\s,]+/)));
  const named = [...text.matchAll(PATH)].map((match) => match[1] ?? '');
  const wrong = named.filter((name) => {
    const fixed = name.replace(/[<*{].*$/, '');
    const aim = fixed === name ? name.replace(/\/$|:\d+$/, '') : path.posix.dirname(`${fixed}x`);
    return !made.has(name) && !exists(aim);
  });
  return [...new Set(wrong)].map((name) => `${file}: ${name}`);
}

/** Mentions of issues, and of rows of plans, none of which ships. */
export const unshippedIn = (text: string): readonly string[] =>
  text.replace(LINE_BREAK, ' ').match(/\b[Ii]ssue \d+\b|\b(?:features|security|style) [A-Z]{1,4}-?\d+\b/g) ?? [];
