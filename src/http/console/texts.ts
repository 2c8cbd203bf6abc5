import { createRoute } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { say } from '../../web/console/frame.ts';
import { type Draft, type Previewed, textPage, textsPage } from '../../web/console/texts-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext } from '../context.ts';
import type { Register } from '../route.ts';
import { Preview, TemplateDetail, TemplateParams, TemplateSummary } from '../schemas/templates.ts';
import { answerConsole, type Console, keyIn, problemOf, type Visit } from './frame.ts';

/** The texts of the messages: to read, to see as their readers would, and to change. */

const PATH = '/console/texts';
const list = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH });
const read = createRoute({ ...PAGE_ROUTE, method: 'get', path: `${PATH}/{key}`, request: { params: TemplateParams } });
const act = <const Act extends 'preview' | 'save'>(name: Act) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/{key}/${name}`, request: { params: TemplateParams } });

interface Asked {
  readonly key: string;
  readonly draft?: Draft | null;
  readonly previewed?: Previewed | null;
  readonly problem?: Html | null;
  readonly told?: Html | null;
}

async function showText(c: AnyContext, { api, frame }: Visit, asked: Asked): Promise<Response> {
  const { key, draft = null, previewed = null, problem = null, told = null } = asked;
  const text = await api.get(`/templates/${encodeURIComponent(key)}`, TemplateDetail);
  const mayWrite = api.may('POST', '/templates/:key/versions');
  return answerConsole(c, frame, textPage(frame, { text, mayWrite, draft, previewed, problem, told }));
}

function draftIn(form: URLSearchParams): Draft {
  const field = (name: string): string => form.get(name) ?? '';
  return {
    locale: field('locale'),
    subject: field('subject').trim(),
    // A form sends line ends as CR LF.
    message: field('message').replaceAll('\r\n', '\n'),
    reservationId: field('reservationId').trim(),
  };
}
const textOf = ({ locale, subject, message }: Draft): object => ({
  locale,
  message,
  ...(subject === '' ? {} : { subject }),
});

export function registerTextPages(register: Register, console: Console): void {
  register(list, (c) =>
    console.visit(
      c,
      (api) => api.may('GET', '/templates'),
      async ({ api, frame }) =>
        answerConsole(c, frame, textsPage(frame, await api.get('/templates', TemplateSummary.array()))),
    ),
  );
  register(read, (c) =>
    console.visit(
      c,
      (api) => api.may('GET', '/templates/:key'),
      (visit) => showText(c, visit, { key: c.req.valid('param').key }),
    ),
  );
  register.unkeyed(act('preview'), (c) =>
    console.submit(
      c,
      (api) => api.may('POST', '/templates/:key/preview'),
      async (visit, form) => {
        const { key } = c.req.valid('param');
        const draft = draftIn(form);
        const facts = draft.reservationId === '' ? {} : { reservationId: draft.reservationId };
        const path = `/templates/${encodeURIComponent(key)}/preview`;
        try {
          const { data } = await visit.api.act(path, { ...textOf(draft), ...facts }, newId('press'));
          return await showText(c, visit, { key, draft, previewed: Preview.parse(data) });
        } catch (error) {
          const isNoStay = error instanceof RoomyError && error.code === 'RESERVATION_NOT_FOUND';
          const problem = isNoStay ? html`${error.message}.` : problemOf(visit.frame, error);
          return showText(c, visit, { key, draft, problem });
        }
      },
    ),
  );
  register.unkeyed(act('save'), (c) =>
    console.submit(
      c,
      (api) => api.may('POST', '/templates/:key/versions'),
      async (visit, form) => {
        const { key } = c.req.valid('param');
        const draft = draftIn(form);
        const path = `/templates/${encodeURIComponent(key)}/versions`;
        try {
          await visit.api.act(path, textOf(draft), keyIn(form));
        } catch (error) {
          return showText(c, visit, { key, draft, problem: problemOf(visit.frame, error) });
        }
        return showText(c, visit, { key, told: html`${say(visit.frame, 'saved')}.` });
      },
    ),
  );
}
