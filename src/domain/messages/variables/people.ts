import { sql } from 'kysely';
import { type Variable, variable } from './variable.ts';

/** The recipient and the guest. Of a notification `n` to a guest `g`, an owner `o` or staff `s`, about a stay of the guest `rg`. */

export const peopleColumns = [
  sql<string | null>`coalesce(g.name, o.name, s.name)`.as('recipientName'),
  sql<string | null>`coalesce(g.email, o.email, s.email)`.as('email'),
  sql<string | null>`coalesce(g.phone, o.phone, s.phone)`.as('phone'),
  sql<string | null>`coalesce(g.locale, o.locale)`.as('locale'),
  sql<string | null>`rg.name`.as('guestName'),
] as const;

export const PEOPLE = {
  guestName: variable('text', 'John Doe', ({ guestName }) => guestName),
  recipientName: variable('text', 'Aisha Rahman', ({ recipientName }) => recipientName),
} as const satisfies Readonly<Record<string, Variable>>;
