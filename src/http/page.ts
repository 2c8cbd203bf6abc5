import { accepts } from 'hono/accepts';
import { CARD_POLICY, type Card, cardPage } from '../web/layout.ts';
import type { AnyContext } from './context.ts';

/** How a page is answered, and to whom. */

/** The headers of a page that nobody else may keep, frame or learn the address of. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CARD_POLICY,
  'Cache-Control': 'private, no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Robots-Tag': 'noindex',
  'X-Content-Type-Options': 'nosniff',
};

export function answerPage(c: AnyContext, card: Card): Response | Promise<Response> {
  for (const [name, value] of Object.entries(PAGE_HEADERS)) c.header(name, value);
  return c.html(cardPage(c.get('prefix'), card));
}

/** By the weights of RFC 9110 12.5.1; a type of weight zero is not wanted at all, and a wildcard asks for data. */
export const prefersPage = (c: AnyContext): boolean =>
  accepts(c, {
    header: 'Accept',
    supports: ['application/json', 'text/html'],
    default: 'application/json',
    match: (types, { supports, default: otherwise }) =>
      types
        .filter(({ type, q }) => q > 0 && supports.includes(type))
        .toSorted((a, b) => b.q - a.q)
        .at(0)?.type ?? otherwise,
  }) === 'text/html';
