import { sql } from 'kysely';
import { type Variable, variable } from './variable.ts';

/** The recipient and the guest. Of a notification `n` to a guest `g`, an owner `o` or staff `s`, about a stay of the guest `rg`. */

const RECENT_CHANGE = sql`interval '30 days'`;

export const peopleColumns = [
  sql<string | null>`coalesce(g.name, o.name, s.name)`.as('recipientName'),
  // A message that says so goes to the owner's address of before the latest changes: who takes over the one may have changed the
  // other first.
  sql<
    string | null
  >`coalesce(g.email, CASE WHEN n.params ->> 'address' = 'former' AND o.email_changed_at > n.created_at - ${RECENT_CHANGE}
    THEN o.email_before END, o.email, s.email)`.as('email'),
  sql<string | null>`coalesce(g.phone, o.phone, s.phone)`.as('phone'),
  sql<string | null>`coalesce(g.locale, o.locale)`.as('locale'),
  sql<string | null>`rg.name`.as('guestName'),
] as const;

export const PEOPLE = {
  guestName: variable('text', 'John Doe', ({ guestName }) => guestName),
  recipientName: variable('text', 'Aisha Rahman', ({ recipientName }) => recipientName),
} as const satisfies Readonly<Record<string, Variable>>;
