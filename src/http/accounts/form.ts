import { RoomyError } from '../../kernel/errors.ts';
import { CARD_POLICY } from '../../web/layout.ts';
import type { AnyContext } from '../context.ts';
import { readBody } from '../middleware/body.ts';
import { answerPage } from '../page.ts';

const MAX_FORM_BYTES = 4 * 1024;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

/** The fields of a form of ours. Throws `UNSUPPORTED_MEDIA_TYPE` and `PAYLOAD_TOO_LARGE`. */
export async function formOf(c: AnyContext): Promise<URLSearchParams> {
  const bytes = await readBody(c, MAX_FORM_BYTES, 'The form is too large');
  const type = c.req.header('content-type');
  if (type !== undefined && !FORM_TYPE.test(type)) throw new RoomyError('UNSUPPORTED_MEDIA_TYPE');
  return new URLSearchParams(bytes.toString('utf8'));
}

/** A page with forms of ours, and scripts of ours where `policy` lets them run. Not `no-referrer`: with it a browser sends `Origin: null` with them. */
export async function answerForm(
  c: AnyContext,
  card: Parameters<typeof answerPage>[1],
  policy = CARD_POLICY,
): Promise<Response> {
  const answer = await answerPage(c, card);
  answer.headers.set('Referrer-Policy', 'same-origin');
  answer.headers.set('Content-Security-Policy', policy);
  return answer;
}

/** Routes of pages stand in no description for programs. */
export const PAGE_ROUTE = {
  hide: true,
  responses: {
    200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' as const } } } },
    303: { description: 'Go on at `Location`' },
  },
} as const;
