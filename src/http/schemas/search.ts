import { z } from '@hono/zod-openapi';
import { SEARCH_KINDS } from '../../domain/search/hits.ts';
import { filtersBy } from '../references.ts';
import { Id, label } from './common.ts';
import { periodFields } from './period.ts';

export const SearchQuery = z.strictObject({
  q: label(200).min(2).optional().openapi({
    description:
      'An id, a reference of a gateway, the id of a request, an error code, who did it, a date, or the beginning of a name, an e-mail address or a phone number; without it nothing is found',
    example: 'doe',
  }),
  ...periodFields('What was made, asked, due or lived'),
  propertyId: filtersBy(Id, 'property').optional().openapi({ description: 'Only what is of this property' }),
  perKind: z
    .string()
    .regex(/^(?:[1-9]|[1-4]\d|50)$/, 'must be a whole number from 1 to 50')
    .default('10')
    .transform(Number)
    .openapi({ type: 'integer', minimum: 1, maximum: 50, default: 10, description: 'Hits of each kind, at the most' }),
});

const Kind = z.enum(SEARCH_KINDS);
const hit = {
  kind: Kind,
  id: z.string(),
  title: z.string().openapi({ description: 'What to call it: a name, a type, a code' }),
  detail: z.string().nullable().openapi({
    description: 'One thing more: an address, a reference, an error, who did it; null: none, or not for the caller',
  }),
  state: z.string().nullable(),
  at: z.iso.datetime().nullable().openapi({ description: 'When it was made or asked for; of a task, when it begins' }),
  reservationId: z.string().nullable().openapi({ description: 'The stay that it belongs to' }),
  propertyId: z.string().nullable(),
  checkInDate: z.string().nullable(),
  checkOutDate: z.string().nullable(),
  amount: z.number().nullable().openapi({ description: 'Major units' }),
  currency: z.string().nullable(),
  link: z.string().nullable().openapi({ description: 'Its page in the console; null: there is none for the caller' }),
};
const RelatedHit = z.object(hit).openapi('RelatedHit');
export const SearchHit = z
  .object({
    ...hit,
    related: z.array(RelatedHit).openapi({
      description: 'Of a stay its sagas, payments, refunds, payouts and disputes, the newest 20 of each sort',
    }),
  })
  .openapi('SearchHit');
export const SearchAnswer = z
  .object({
    text: z.string(),
    kinds: z.array(
      z.object({
        kind: Kind,
        hasMore: z.boolean().openapi({ description: 'There are more than `perKind`: ask more exactly' }),
        hits: z.array(SearchHit),
      }),
    ),
  })
  .openapi('SearchAnswer');
