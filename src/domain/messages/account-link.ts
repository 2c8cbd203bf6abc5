import type { TextSeal } from '../../kernel/text-seal.ts';
import type { Facts } from './delivery-facts.ts';

/**
 * A mail for an account: the secret of its link, or an address that is not that of the row, lies sealed in the notification, and is
 * opened when the mail is made. An address that does not open is none: the mail must not go to another one.
 */
export function withOpenedLink(facts: Facts | undefined, secrets: TextSeal): Facts | undefined {
  const accountId = facts?.params['accountId'];
  if (!facts || typeof accountId !== 'string') return facts;
  const { linkSecret, sealedAddress, accountEmail } = facts;
  return {
    ...facts,
    linkSecret: linkSecret === null ? null : secrets.open(accountId, linkSecret),
    accountEmail: sealedAddress === null ? accountEmail : (secrets.open(accountId, sealedAddress) ?? ''),
  };
}
