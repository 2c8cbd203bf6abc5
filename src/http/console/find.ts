import { createRoute, z } from '@hono/zod-openapi';
import { findPage } from '../../web/console/find-page.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { Services } from '../context.ts';
import type { Register } from '../route.ts';
import { SearchAnswer } from '../schemas/search.ts';
import { queryOf } from './client.ts';
import { answerConsole, type Console, maySearch, problemOf } from './frame.ts';
import { mayReadStay } from './stay.ts';

/** The page of the search, over `GET search`. */

const field = z.string().max(200).optional();
const find = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: '/console/find',
  request: { query: z.strictObject({ q: field, from: field, to: field }) },
});

export function registerFind(register: Register, { publicUrl }: Services, console: Console): void {
  const pathOf = (link: string | null): string | null => (link === null ? null : link.slice(publicUrl.length));
  register(find, (c) =>
    console.visit(c, maySearch, async ({ api, frame }) => {
      const { q = '', from = '', to = '' } = c.req.valid('query');
      const text = q.trim();
      const view = { text, from, to, mayOpenStay: mayReadStay(api), kinds: null, problem: null };
      if (text === '') return answerConsole(c, frame, findPage(frame, view));
      try {
        const { kinds } = await api.get(`/search${queryOf({ q: text, from, to })}`, SearchAnswer);
        const shown = kinds.map(({ hits, ...kind }) => ({
          ...kind,
          hits: hits.map(({ link, related, ...hit }) => ({
            ...hit,
            path: pathOf(link),
            related: related.map(({ link: page, ...one }) => ({ ...one, path: pathOf(page) })),
          })),
        }));
        return answerConsole(c, frame, findPage(frame, { ...view, kinds: shown }));
      } catch (error) {
        return answerConsole(c, frame, findPage(frame, { ...view, problem: problemOf(frame, error) }));
      }
    }),
  );
}
