import { createRoute, z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { CATALOGUE, type ErrorCode, isErrorCode, RoomyError } from '../../kernel/errors.ts';
import { answerPage } from '../page.ts';
import type { Register } from '../route.ts';

/** The pages that the `type` of a problem links to (RFC 9457 3.1.1): each code of the catalogue, for the person who met it. */

const page = { 200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' as const } } } } };
const list = createRoute({ method: 'get', path: '/problems', hide: true, responses: page });
const read = createRoute({
  method: 'get',
  path: '/problems/{code}',
  hide: true,
  request: { params: z.strictObject({ code: z.string().max(64) }) },
  responses: page,
});

const AGAIN = {
  refusal: 'The same request will be refused again until what it says, or the state that it is about, has changed.',
  transient: 'It may pass: send the same request again, with the same Idempotency-Key, after `Retry-After`.',
  bug: 'It is our mistake. The request may be sent again with the same Idempotency-Key; tell us the `requestId` if it stays.',
} as const;

export function registerProblems(register: Register): void {
  register(list, (c) => {
    const codes = Object.keys(CATALOGUE).filter(isErrorCode).toSorted();
    return answerPage(c, {
      title: 'Problems',
      wide: true,
      content: html`<p>Every code that this API answers, with its status.</p>
<ul>${codes.map((code) => html`<li><a href="problems/${code}">${code}</a> (${CATALOGUE[code].status}): ${CATALOGUE[code].text}</li>`)}</ul>`,
    });
  });
  register(read, (c) => {
    const { code } = c.req.valid('param');
    if (!isErrorCode(code)) throw new RoomyError('ROUTE_NOT_FOUND');
    return answerPage(c, { title: code, content: about(code) });
  });
}

/** A limit is refused to nobody for good. */
const isForNow = (code: ErrorCode): boolean => CATALOGUE[code].status === 429;

const about = (code: ErrorCode) => html`<p>${CATALOGUE[code].text}.</p>
<dl><dt>Status</dt><dd>${CATALOGUE[code].status}</dd><dt>Sending it again</dt><dd>${AGAIN[isForNow(code) ? 'transient' : CATALOGUE[code].kind]}</dd></dl>`;
