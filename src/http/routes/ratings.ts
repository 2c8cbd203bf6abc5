import { createRoute, z } from '@hono/zod-openapi';
import { giveRating, readRating } from '../../domain/reservations/rating.ts';
import { found } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { assertOwnStay, lockOwnStay } from '../own-stay.ts';
import type { Register } from '../route.ts';
import { IdParam, line } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals } from '../schemas/envelope.ts';

/** What a guest thinks of a stay: one rating, when it is over. */

const PATH = '/api/production/reservations/{id}/rating';
const tags = ['Reservations'];

const RatingBody = z.strictObject({
  score: z.int().min(1).max(5).openapi({ description: 'From 1 to 5, 5 is best' }),
  comment: line(1_000).optional(),
});
const Rating = z
  .object({
    reservationId: z.string(),
    score: z.int(),
    comment: z.string().nullable(),
    givenBy: z.string().openapi({ description: 'Who entered it: the guest, or somebody who was told' }),
    givenAt: z.iso.datetime(),
  })
  .openapi('Rating');

const give = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Rate a stay that is over; once',
  request: { params: IdParam, body: jsonOf(RatingBody, { score: 5, comment: 'Spotless, and a warm welcome' }) },
  responses: {
    200: answer('The rating', one(Rating)),
    ...bodyRefusals('RESERVATION_NOT_FOUND', 'INVALID_STATE_TRANSITION'),
  },
});
const read = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'Get the rating of a stay',
  request: { params: IdParam },
  responses: {
    200: answer('The rating', one(Rating)),
    ...refusals('VALIDATION_FAILED', 'RESERVATION_NOT_FOUND', 'NOT_FOUND'),
  },
});

export function registerRatings(register: Register, services: Services): void {
  const { db } = services;
  register.mutation(give, async (c, once) => {
    const { id: reservationId } = c.req.valid('param');
    const { score, comment = null } = c.req.valid('json');
    await assertOwnStay(c, db, reservationId);
    return once.change(async (tx) => {
      await lockOwnStay(c, tx, reservationId);
      return found(c, await giveRating(tx, { reservationId, score, comment }, authorOf(c)), 'Thank you');
    });
  });
  register(read, async (c) => {
    const { id } = c.req.valid('param');
    await assertOwnStay(c, db, id);
    return found(c, await readRating(db, id));
  });
}
