import { createRoute, z } from '@hono/zod-openapi';
import { answerOffer, findOffer, type LinkAnswer } from '../../domain/tasks/offer-link.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { type AnyContext, inTransaction, type Services } from '../context.ts';
import { offerPage } from '../offer-page.ts';
import type { Register } from '../route.ts';
import { refusals } from '../schemas/envelope.ts';

const tags = ['Tasks'];
const Token = z.strictObject({ token: z.string().regex(/^[0-9a-f]{64}$/) });
const page = { 200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' as const } } } } };

const show = createRoute({
  method: 'get',
  path: '/offers/{token}',
  tags,
  summary: 'The question to somebody whether they take a task; whoever has the address of the mail may answer it',
  request: { params: Token },
  responses: { ...page, ...refusals('TASK_NOT_FOUND', 'VALIDATION_FAILED') },
});
const sayByPage = (path: '/offers/{token}/accept' | '/offers/{token}/decline', summary: string) =>
  createRoute({
    method: 'post',
    path,
    tags,
    summary,
    request: { params: Token },
    responses: {
      303: { description: 'Taken, or settled before: `Location` is the page, which says which' },
      ...refusals('TASK_NOT_FOUND', 'VALIDATION_FAILED'),
    },
  });
const accept = sayByPage('/offers/{token}/accept', 'Yes, from the page');
const decline = sayByPage('/offers/{token}/decline', 'No, from the page');

export function registerOffers(register: Register, services: Services): void {
  register(show, async (c) => {
    const { token } = c.req.valid('param');
    return offerPage(c, token, await findOffer(services.db, token));
  });
  // Always back to the page, which says what has become of the task: loading that again sends nothing again.
  const byPage = async (c: AnyContext, token: string, answer: LinkAnswer['answer']) => {
    const said = { answer, requestId: c.get('requestId'), ip: c.get('ip') };
    try {
      await inTransaction(services, (tx) => answerOffer(tx, token, said));
    } catch (error) {
      if (!(error instanceof RoomyError && error.code === 'INVALID_STATE_TRANSITION')) throw error;
    }
    return c.redirect(`/offers/${token}`, 303);
  };
  register.unkeyed(accept, (c) => byPage(c, c.req.valid('param').token, 'ACCEPTED'));
  register.unkeyed(decline, (c) => byPage(c, c.req.valid('param').token, 'DECLINED'));
}
