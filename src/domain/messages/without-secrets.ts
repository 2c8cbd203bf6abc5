import type { Facts } from './delivery-facts.ts';

/** A text as it is kept: what would open a door, a page or an account is for its recipient alone. */
export function withoutSecrets(body: string, facts: Facts): string {
  const { accessCode, approvalToken, offerToken, linkSecret, stayToken = null } = facts;
  return [accessCode, approvalToken, offerToken, linkSecret, stayToken].reduce<string>(
    (text, secret) => (secret === null || secret === '' ? text : text.replaceAll(secret, '••••')),
    body,
  );
}
