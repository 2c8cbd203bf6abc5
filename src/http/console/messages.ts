import { createRoute, z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { say } from '../../web/console/frame.ts';
import { messagePage, messagesPage } from '../../web/console/messages-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext } from '../context.ts';
import { filtersBy } from '../references.ts';
import type { Register } from '../route.ts';
import { Id, IdParam } from '../schemas/common.ts';
import { Notification } from '../schemas/records.ts';
import { NotificationContent } from '../schemas/templates.ts';
import { type ConsoleApi, queryOf } from './client.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';

/** Messages by stay and by person, and each with what it said, as far as the API shows it. */

const PATH = '/console/messages';
const EmptyOrId = z.union([z.literal(''), Id]);
const Query = z.strictObject({
  status: z.string().max(64).optional(),
  reservationId: filtersBy(EmptyOrId, 'reservation').optional(),
  recipientId: filtersBy(EmptyOrId, 'recipient').optional(),
  cursor: z.string().max(1024).optional(),
});
const list = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH, request: { query: Query } });
const read = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: `${PATH}/{id}`,
  request: { params: IdParam, query: z.strictObject({ told: z.string().max(20).optional() }) },
});
const resend = createRoute({
  ...PAGE_ROUTE,
  method: 'post',
  path: `${PATH}/{id}/resend`,
  request: { params: IdParam },
});

interface Asked {
  readonly id: string;
  readonly problem?: Html | null;
  readonly told?: string | undefined;
}

async function showMessage(c: AnyContext, { api, frame }: Visit, { id, problem = null, told }: Asked) {
  const at = encodeURIComponent(id);
  const message = await api.get(`/notifications/${at}`, Notification);
  const words = api.may('GET', '/notifications/:id/content') ? await wordsOf(api, at) : null;
  const view = {
    message,
    words,
    mayResend: api.may('POST', '/notifications/:id/resend'),
    maySeeText: api.may('GET', '/templates/:key'),
    key: newId('press'),
    problem,
    told: told === 'resent' ? html`${say(frame, 'resent')}.` : null,
  };
  return answerConsole(c, frame, messagePage(frame, view));
}

/** Null: nothing was written yet, or it is kept no more. */
async function wordsOf(api: ConsoleApi, at: string) {
  try {
    return await api.get(`/notifications/${at}/content`, NotificationContent);
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

const Made = z.object({ id: z.string() });

export function registerMessagePages(register: Register, console: Console): void {
  register(list, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'messages'),
      async ({ api, frame }) => {
        const { cursor, ...filter } = c.req.valid('query');
        const query = queryOf({ ...filter, cursor, limit: '50' });
        const { items, next } = await api.list(`/notifications${query}`, Notification);
        const { status, reservationId, recipientId } = filter;
        const view = {
          rows: items,
          filter: { status, reservationId, recipientId },
          next,
          isFirst: cursor === undefined,
          maySeeTexts: api.may('GET', '/templates'),
          address: `${frame.prefix}${PATH}${queryOf(filter)}`,
        };
        return answerConsole(c, frame, messagesPage(frame, view));
      },
    ),
  );
  register(read, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'messages'),
      (visit) => showMessage(c, visit, { ...c.req.valid('query'), id: c.req.valid('param').id }),
    ),
  );
  register.unkeyed(resend, (c) =>
    console.submit(
      c,
      (api) => api.may('POST', '/notifications/:id/resend'),
      async (visit, form) => {
        const { id } = c.req.valid('param');
        let made: string;
        try {
          const { data } = await visit.api.act(`/notifications/${encodeURIComponent(id)}/resend`, {}, keyIn(form));
          made = Made.parse(data).id;
        } catch (error) {
          return showMessage(c, visit, { id, problem: problemOf(visit.frame, error) });
        }
        return c.redirect(`${PATH}/${encodeURIComponent(made)}?told=resent`, 303);
      },
    ),
  );
}
