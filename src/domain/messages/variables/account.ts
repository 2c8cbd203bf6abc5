import { sql } from 'kysely';
import type { Facts } from '../delivery-facts.ts';
import type { Printer } from '../print.ts';
import { type Uses, type Variable, variable } from './variable.ts';

/**
 * The account that a sign-in is for. The row of such a message has the account's id and its link's secret, sealed
 * (`kernel/text-seal.ts`): it is opened when the message is sent, and kept nowhere.
 */

/** Columns of the facts; the secret as it lies in the row. */
export const accountColumns = ({ mayUse }: Uses) =>
  [
    sql<string | null>`CASE WHEN ${mayUse('accountName')} THEN
      (SELECT ac.name FROM account ac WHERE ac.id = n.params ->> 'accountId') END`.as('accountName'),
    sql<string | null>`CASE WHEN ${mayUse('accountName')} THEN
      (SELECT ac.email FROM account ac WHERE ac.id = n.params ->> 'accountId') END`.as('accountEmail'),
    sql<string | null>`n.params ->> 'sealedLink'`.as('linkSecret'),
    // An address of the account that is not, or may not be any more, that of its row.
    sql<string | null>`n.params ->> 'sealedAddress'`.as('sealedAddress'),
  ] as const;

export const ACCOUNT = {
  accountName: variable('text', 'Aisha Rahman', ({ accountName }) => accountName),
  signInUrl: variable('url', 'https://roomy.example/sign-in/example', (facts, print) =>
    linkTo('sign-in', facts, print),
  ),
  invitationUrl: variable('url', 'https://roomy.example/invitations/example', (facts, print) =>
    linkTo('invitations', facts, print),
  ),
} as const satisfies Readonly<Record<string, Variable>>;

const linkTo = (place: string, { linkSecret }: Facts, { publicUrl }: Printer): string | null =>
  publicUrl === null || linkSecret === null ? null : `${publicUrl}/${place}/${linkSecret}`;
