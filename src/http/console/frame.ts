import { getCookie } from 'hono/cookie';
import { html } from 'hono/html';
import type { LiveSession } from '../../domain/people/sessions.ts';
import { RoomyError } from '../../kernel/errors.ts';
import {
  CONSOLE_PAGES,
  CONSOLE_POLICY,
  type ConsolePage,
  type Content,
  consoleDocument,
  type Frame,
  type Language,
  say,
} from '../../web/console/frame.ts';
import type { Html } from '../../web/layout.ts';
import { formOf } from '../accounts/form.ts';
import { assertFromOwnPage, lacksSecondFactor, landingOf, sessionOf } from '../accounts/page-session.ts';
import { keepWayBack } from '../accounts/way-back.ts';
import type { AnyContext, App, Services } from '../context.ts';
import { PAGE_HEADERS } from '../page.ts';
import { isFresh } from '../step-up.ts';
import { type ConsoleApi, consoleApi } from './client.ts';
import { forgetForm, keepForm, showKept } from './kept-form.ts';

/** What every page of the console begins and ends with: who reads it, in which language, and the answer. */

export interface Visit {
  readonly session: LiveSession;
  readonly api: ConsoleApi;
  readonly frame: Frame;
}
export interface Console {
  /** Runs for somebody who may read the page; else leads to where they belong. */
  visit(
    c: AnyContext,
    mayRead: (api: ConsoleApi) => boolean,
    answer: (visit: Visit) => Promise<Response>,
  ): Promise<Response>;
  /** The same for a form of ours. */
  submit(
    c: AnyContext,
    mayRead: (api: ConsoleApi) => boolean,
    answer: (visit: Visit, form: URLSearchParams) => Promise<Response>,
  ): Promise<Response>;
}

/** The GET of the API that decides who sees a page. The system has none of its own: who sees what no sweep could do sees it all. */
const READS: Readonly<Record<ConsolePage, string>> = {
  today: '/day',
  incidents: '/incidents',
  sagas: '/sagas',
  messages: '/notifications',
  staff: '/staff',
  // Of the five reports that which most may read; each is asked for by itself.
  metrics: '/analytics/payments',
  system: '/sweep-failures',
  developers: '/webhook-endpoints',
};
export const mayReadPage = (api: ConsoleApi, page: ConsolePage): boolean => api.may('GET', READS[page]);

export const maySearch = (api: ConsoleApi): boolean => api.may('GET', '/search');

export const LANGUAGE_COOKIE = 'roomy_language';
export const isLanguage = (text: string | undefined | null): text is Language => text === 'en' || text === 'ar';

/** As it was chosen; else as the browser asks for it. */
function languageOf(c: AnyContext): Language {
  const chosen = getCookie(c, LANGUAGE_COOKIE);
  if (isLanguage(chosen)) return chosen;
  return /^\s*ar\b/i.test(c.req.header('accept-language') ?? '') ? 'ar' : 'en';
}

/** The pages of a person, those first on which most of their work is. */
export function pagesOf(api: ConsoleApi): readonly ConsolePage[] {
  return CONSOLE_PAGES.filter((page) => mayReadPage(api, page));
}

export function createConsole(app: App, services: Services): Console {
  const visit: Console['visit'] = async (c, mayRead, answer) => {
    const session = await sessionOf(c, services);
    if (!session || lacksSecondFactor(session)) {
      keepWayBack(c, services, pathOf(c));
      return c.redirect(session ? '/account/second-factor' : '/sign-in', 303);
    }
    // Its acts may be refused until a code is given.
    if (c.req.method !== 'GET' && !isFresh(session.mfaAt, services.clock.now())) keepWayBack(c, services, pathOf(c));
    const api = consoleApi(c, app, services, session);
    if (!mayRead(api)) return c.redirect(landingOf(session.account), 303);
    const { name, role } = session.account;
    const frame: Frame = {
      prefix: c.get('prefix'),
      language: languageOf(c),
      timeZone: services.agencyTimeZone,
      now: services.clock.now(),
      person: { name, role },
      isDemo: session.method === 'DEMO',
      pages: pagesOf(api),
      finds: maySearch(api),
      path: pathOf(c),
    };
    const answered = await answer({ session, api, frame });
    return c.req.method === 'GET' ? showKept(c, services, session, answered) : answered;
  };
  return {
    visit,
    submit: (c, mayRead, answer) => {
      assertFromOwnPage(c, services);
      return visit(c, mayRead, async (visited) => {
        const form = await formOf(c);
        const answered = await answer(visited, form);
        if (!needsFactor.has(visited.frame)) return forgetForm(c, services, answered);
        return keepForm(c, services, visited.session, { page: pathOf(c), form, answer: answered });
      });
    },
  };
}

/** Those of visits whose act was refused until a second factor is given. */
const needsFactor = new WeakSet<Frame>();

/** With its query; of a form, whose address cannot be opened, the page that it is about. */
function pathOf(c: AnyContext): string {
  if (c.req.method !== 'GET') return c.req.path.replace(/\/[a-z-]+$/, '');
  const { search } = new URL(c.req.url);
  return `${c.req.path}${search}`;
}

export function answerConsole(c: AnyContext, frame: Frame, content: Content): Response | Promise<Response> {
  for (const [name, value] of Object.entries(PAGE_HEADERS)) c.header(name, value);
  c.header('Content-Security-Policy', CONSOLE_POLICY);
  // Not `no-referrer`: with it a browser sends `Origin: null` with the forms.
  c.header('Referrer-Policy', 'same-origin');
  c.header('Vary', 'Cookie, Accept-Language');
  // The answer to a form has what became of it, which a look at the page would not have.
  const { live: _live, ...still } = content;
  return c.html(consoleDocument(frame, c.req.method === 'GET' ? content : still));
}

/** Why an act was refused, for the page that it was asked on. Throws what is no refusal, and what is not there. */
export function problemOf(frame: Frame, error: unknown): Html {
  if (!(error instanceof RoomyError) || error.status >= 500 || error.status === 404) throw error;
  const sagaId = error.details?.sagaExecutionId;
  const { prefix } = frame;
  if (error.code === 'STEP_UP_REQUIRED') needsFactor.add(frame);
  if (error.code === 'STEP_UP_REQUIRED' && frame.isDemo)
    return html`${say(frame, 'demoFactor')} <a href="${prefix}/account/second-factor">${say(frame, 'demoAgain')}</a>`;
  return html`<span lang="en" dir="ltr">${error.message}.</span>${
    error.code === 'STEP_UP_REQUIRED'
      ? html` <a href="${prefix}/account/second-factor">${say(frame, 'secondFactor')}</a>`
      : ''
  }${
    typeof sagaId === 'string'
      ? html` <a href="${prefix}/console/sagas/${encodeURIComponent(sagaId)}">${say(frame, 'whatHappened')}</a>`
      : ''
  }`;
}

/** Keeps a second press of the same button from acting twice. */
const Key = /^[\x21-\x7e]{1,255}$/;
export function keyIn(form: URLSearchParams): string {
  const key = form.get('key') ?? '';
  if (!Key.test(key)) throw new RoomyError('INVALID_IDEMPOTENCY_KEY');
  return key;
}
