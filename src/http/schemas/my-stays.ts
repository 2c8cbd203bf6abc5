import { z } from '@hono/zod-openapi';
import { secret } from '../secrets.ts';
import { pageQuery } from './common.ts';

const major = (description: string) => z.number().openapi({ description: `${description}; major units` });

export const GuestLink = z
  .object({
    url: secret(z.url()),
    expiresAt: z.iso
      .datetime()
      .openapi({ description: 'As the days of the stay are now: it moves with the departure' }),
  })
  .openapi('GuestLink');
export const MyStayQuery = z.strictObject(pageQuery);
export const MyStay = z
  .object({
    id: z.string(),
    status: z.enum(['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW']),
    property: z.object({
      name: z.string(),
      address: z.string().nullable().openapi({ description: 'While the stay is confirmed, and during it' }),
      timeZone: z.string(),
    }),
    checkInDate: z.iso.date(),
    checkOutDate: z.iso.date(),
    arrival: z.string().openapi({ description: 'At the property, as agreed or else by rule', example: '15:00' }),
    departure: z.string().openapi({ example: '11:00' }),
    guestCount: z.int().nullable(),
    totalAmount: major('The price of the stay'),
    paid: major('What was paid of it'),
    refunded: major('What has gone back, of money paid over the price too; not what is on its way'),
    due: major('What is left to pay'),
    currency: z.string(),
    paymentStatus: z.string().openapi({ example: 'PARTIALLY_PAID' }),
    access: z
      .object({ code: secret(z.string()), until: z.iso.datetime() })
      .nullable()
      .openapi({ description: 'The code of the door, during the stay and while it opens' }),
  })
  .openapi('MyStay');
