import { createRoute, z } from '@hono/zod-openapi';
import { answerOffer, findOffer, type LinkAnswer } from '../../domain/assignment/offer-link.ts';
import { offerPage } from '../../web/offer-page.ts';
import { type AnyContext, inTransaction, originOf, type Services } from '../context.ts';
import { answerPage } from '../page.ts';
import type { Register } from '../route.ts';
import { backToPage, FORM_ANSWERS, PAGE_ANSWERS } from './link-page.ts';

const tags = ['Tasks'];
const Token = z.strictObject({ token: z.string().regex(/^(?:[0-9a-f]{64}|[0-9a-f]{32}\.[\w-]{43})$/) });

const show = createRoute({
  method: 'get',
  path: '/offers/{token}',
  tags,
  summary: 'The question to somebody whether they take a task; whoever has the address of the mail may answer it',
  request: { params: Token },
  responses: PAGE_ANSWERS,
});
const sayByPage = (path: '/offers/{token}/accept' | '/offers/{token}/decline', summary: string) =>
  createRoute({
    method: 'post',
    path,
    tags,
    summary,
    request: { params: Token },
    responses: FORM_ANSWERS,
  });
const accept = sayByPage('/offers/{token}/accept', 'Yes, from the page');
const decline = sayByPage('/offers/{token}/decline', 'No, from the page');

export function registerOffers(register: Register, services: Services): void {
  register(show, async (c) => {
    const { token } = c.req.valid('param');
    return answerPage(c, offerPage(token, await findOffer(services.db, services.links.openName('offer', token))));
  });
  const byPage = (c: AnyContext, token: string, answer: LinkAnswer['answer']) => {
    const said = { answer, ...originOf(c, 'link') };
    return backToPage(c, `/offers/${token}`, () =>
      inTransaction(services, (tx) => answerOffer(tx, services.links.openName('offer', token), said)),
    );
  };
  register.unkeyed(accept, (c) => byPage(c, c.req.valid('param').token, 'ACCEPTED'));
  register.unkeyed(decline, (c) => byPage(c, c.req.valid('param').token, 'DECLINED'));
}
