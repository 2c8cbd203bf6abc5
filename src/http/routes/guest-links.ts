import { createRoute, z } from '@hono/zod-openapi';
import { guestLinkAddress, readGuestLink } from '../../domain/reservations/guest-link.ts';
import { makeGuestLink } from '../../domain/stays/guest-link.ts';
import { stayOfLink } from '../../domain/stays/my-stays.ts';
import { stayPage } from '../../web/stay-page.ts';
import { found } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { assertOwnStay, lockOwnStay } from '../own-stay.ts';
import { answerPage } from '../page.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, one, refusals } from '../schemas/envelope.ts';
import { GuestLink } from '../schemas/my-stays.ts';

const tags = ['Reservations'];

const make = createRoute({
  method: 'post',
  path: '/api/production/reservations/{id}/guest-link',
  tags,
  summary: 'An address by which the guest of a stay sees it without an account, for the office to send',
  request: { params: IdParam },
  responses: {
    200: answer('The address', one(GuestLink)),
    ...bodyRefusals('RESERVATION_NOT_FOUND', 'INVALID_STATE_TRANSITION'),
  },
});
// As long as a request's line can be: a wrong address is absent, whatever is wrong with it.
const Token = z.strictObject({ token: z.string().max(16_384) });
const show = createRoute({
  method: 'get',
  path: '/stay/{token}',
  tags,
  summary: 'A stay as its guest may see it; whoever has the address of the mail may read it',
  request: { params: Token },
  responses: {
    200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' as const } } } },
    ...refusals('NOT_FOUND', 'VALIDATION_FAILED'),
  },
});

export function registerGuestLinks(register: Register, services: Services): void {
  const { db, links, publicUrl } = services;
  register.mutation(make, async (c, once) => {
    const { id } = c.req.valid('param');
    await assertOwnStay(c, db, id);
    return once.change(async (tx) => {
      await lockOwnStay(c, tx, id);
      const { token, endsAt } = await makeGuestLink(tx, links, id, authorOf(c));
      return found(c, { url: guestLinkAddress(publicUrl, token), expiresAt: endsAt.toISOString() });
    });
  });
  register(show, async (c) => {
    const { stay, locale } = await stayOfLink(db, readGuestLink(links, c.req.valid('param').token));
    return answerPage(c, stayPage(stay, locale));
  });
}
