import { html } from 'hono/html';
import { documentOf, type Html, policyOf, STYLE_SHEET } from '../layout.ts';
import { ARABIC, ARABIC_CODES } from './words-ar.ts';
import { ENGLISH, ENGLISH_CODES, type Word } from './words-en.ts';

/** The frame around every page of the console: where one can go, who is signed in, and the language. */

export type Language = 'en' | 'ar';
export const CONSOLE_PAGES = [
  'today',
  'incidents',
  'sagas',
  'messages',
  'staff',
  'metrics',
  'system',
  'developers',
] as const;
export type ConsolePage = (typeof CONSOLE_PAGES)[number];

export interface Frame {
  /** The path under which the API is reached. */
  readonly prefix: string;
  readonly language: Language;
  /** IANA: on whose clock times are shown, where no property has another. */
  readonly timeZone: string;
  readonly now: Date;
  readonly person: { readonly name: string; readonly role: string };
  /** One of the made-up people of the demo, who has no second factor but a sign-in of late. */
  readonly isDemo: boolean;
  /** Those that this person may read, in their order. */
  readonly pages: readonly ConsolePage[];
  /** Whether this person may search. */
  readonly finds: boolean;
  /** The path of this page, without the prefix: where the choice of a language leads back to. */
  readonly path: string;
}

export interface Content {
  readonly title: string;
  /** The language of the title, where it is data. */
  readonly titleLanguage?: 'en';
  /** To which entry of the navigation it belongs; null: to none. */
  readonly page: ConsolePage | null;
  readonly body: Html;
  /** It has charts, which a script of ours draws. */
  readonly draws?: true;
  /** Why the last act did nothing. */
  readonly problem?: Html | string | null;
  /** What the last act did. */
  readonly told?: Html | string | null;
  /** What it follows while it is open; absent: it stays as it is. */
  readonly live?: Live;
}
export interface Live {
  readonly about: 'day' | 'stay' | 'saga' | 'incidents' | 'system' | 'developers';
  /** Which stay or saga. */
  readonly of?: string;
}

/** Scripts of this server run, and ask this server; forms go to this server. */
export const CONSOLE_POLICY = policyOf({
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': 'data:',
  'connect-src': "'self'",
  'form-action': "'self'",
});

const headOf = (prefix: string, { draws, live }: Content): Html =>
  html`<link rel="icon" href="data:,">${draws === true ? html`<link rel="stylesheet" href="${prefix}/charts/uplot.css"><script type="module" src="${prefix}/charts/charts.js"></script>` : ''}${live ? scriptOfLive(prefix) : ''}`;

/** No style of its own, no history, and an extension that it does not know is none of ours. */
const HTMX = { includeIndicatorCSS: false, history: false, extensions: 'sse, roomy-live' };
const scriptOfLive = (prefix: string): Html =>
  html`<meta name="htmx-config" content="${JSON.stringify(HTMX)}"><script type="module" src="${prefix}/console/files/live.js"></script>`;

export const wordIn = (language: Language, word: Word): string => (language === 'ar' ? ARABIC : ENGLISH)[word];
/** A word in the language of the frame. */
export const say = ({ language }: Pick<Frame, 'language'>, word: Word): string => wordIn(language, word);

/** A code of the API in words; one that has none stays as it is, from left to right. */
export function codeWords({ language }: Pick<Frame, 'language'>, code: string): Html {
  const codes = language === 'ar' ? ARABIC_CODES : ENGLISH_CODES;
  const text = Object.hasOwn(codes, code) ? codes[code] : undefined;
  return text === undefined ? html`<bdi lang="en">${code.replaceAll('_', ' ').toLowerCase()}</bdi>` : html`${text}`;
}

/** What the API says in English, whatever the language of the page. */
export const inEnglish = (text: string): Html => html`<span lang="en" dir="ltr">${text}</span>`;

/** The whole page. */
export function consoleDocument(frame: Frame, content: Content): Html {
  const { prefix, language, person, pages } = frame;
  const titled = content.titleLanguage === 'en' ? inEnglish(content.title) : html`${content.title}`;
  return documentOf({
    title: `${content.title} · Roomy`,
    look: 'console',
    head: headOf(prefix, content),
    style: { at: `${prefix}/${STYLE_SHEET}` },
    language,
    body: html`<a class="skip" href="#main">${say(frame, 'skip')}</a>
<header class="bar"><a class="brand" href="${prefix}/console">Roomy</a>
<nav aria-label="${say(frame, 'navigation')}"><ul>${pages.map(
      (page) =>
        html`<li><a href="${prefix}/console/${page}"${page === content.page ? html` aria-current="page"` : ''}>${say(frame, page)}</a></li>`,
    )}</ul></nav>${frame.finds ? findBox(frame) : ''}
<div class="who"><a href="${prefix}/account"><bdi>${person.name}</bdi></a> <span class="soft">${codeWords(frame, person.role)}</span>
<form method="post" action="${prefix}/console/language"><input type="hidden" name="language" value="${language === 'ar' ? 'en' : 'ar'}"><input type="hidden" name="back" value="${frame.path}">
<button class="quiet" lang="${language === 'ar' ? 'en' : 'ar'}">${say(frame, 'otherLanguage')}</button></form>
<form method="post" action="${prefix}/sign-out"><button class="quiet">${say(frame, 'signOut')}</button></form></div></header>
<main id="main" tabindex="-1"${liveParts(frame, content.live)}><h1>${titled}</h1>
${content.told ? html`<p class="notice" role="status">${content.told}</p>` : ''}${content.problem ? html`<p class="notice bad" role="alert">${content.problem}</p>` : ''}
${content.body}</main>${liveLine(frame, content.live)}`,
  });
}

/** The search, on every page. */
const findBox = (frame: Frame): Html =>
  html`<form class="find" role="search" method="get" action="${frame.prefix}/console/find"><input type="search" name="q" maxlength="200" dir="auto" required minlength="2" aria-label="${say(frame, 'findWhat')}" placeholder="${say(frame, 'find')}"><button class="no">${say(frame, 'find')}</button></form>`;

/** Where the page asks for itself, when it has heard of a change. */
const liveParts = ({ prefix, path }: Frame, live: Live | undefined): Html =>
  live === undefined
    ? html``
    : html` hx-get="${prefix}${path}" hx-trigger="changed from:#live throttle:500ms" hx-sync="queue last" hx-select="#main" hx-swap="outerMorph"`;

/** Where the page hears of changes, and where it says that it has taken them over. */
function liveLine(frame: Frame, live: Live | undefined): Html {
  if (live === undefined) return html``;
  const query = new URLSearchParams({ about: live.about, ...(live.of === undefined ? {} : { of: live.of }) });
  return html`<footer class="live soft"><p id="live" role="status" data-word="${say(frame, 'updatedAt')}" hx-sse:connect="${frame.prefix}/console/live?${query.toString()}" hx-trigger="again"></p></footer>`;
}
