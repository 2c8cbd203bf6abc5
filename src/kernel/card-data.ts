import { holdsCardNumber, isCardNumber } from './card-number.ts';
import { isPhoneNumber } from './phone.ts';

/** Keys that name what must never come here (PCI DSS 3.3: not even to be refused later). */
const FORBIDDEN_KEYS = new Set([
  'cvv',
  'cvv2',
  'cvc',
  'cvc2',
  'cvn',
  'csc',
  'cid',
  'cardcvv',
  'cardcvc',
  'securitycode',
  'cardsecuritycode',
  'cardverificationvalue',
  'cardverificationcode',
  'pan',
  'cardpan',
  'cardnumber',
  'cardno',
  'cardholder',
  'cardholdername',
  'nameoncard',
  'track1',
  'track2',
  'trackdata',
  'pinblock',
]);

/** Fields that hold an amount, in major units. Sixteen digits of one are money, whatever they begin with. */
export const AMOUNT_KEYS: ReadonlySet<string> = new Set(['amount', 'totalAmount']);
const AMOUNT = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
/**
 * Ids, keys and references, ours and those of gateways and callers: nobody types a card into a part of one, so only one that
 * is a card's number and nothing else is refused.
 */
const OPAQUE_KEY =
  /^(?:ids?|key|reference|cursor|processedBy|x-request-id|idempotency-key)$|(?:Ids?|Key|Reference|_id)$/;
const PHONE_KEY = 'phone';

/**
 * Whether a JSON value holds a card number, or a key that stands for card data. The part that is looked at depends on
 * the field: text that people type in any part of it, an id as a whole, an amount never.
 */
export function containsCardData(value: unknown): boolean {
  let level: (readonly [key: string, value: unknown])[] = [['', value]];
  while (level.length > 0) {
    const next: typeof level = [];
    for (const [key, item] of level) {
      if (typeof item === 'string' || typeof item === 'number') {
        if (isCardIn(key, item)) return true;
      } else if (Array.isArray(item)) {
        for (const member of item) next.push([key, member]);
      } else if (typeof item === 'object' && item !== null) {
        for (const member of Object.entries(item)) {
          if (isForbidden(member[0])) return true;
          next.push(member);
        }
      }
    }
    level = next;
  }
  return false;
}

function isCardIn(key: string, value: string | number): boolean {
  // Coordinates have as many digits as cards; no card has a fraction.
  if (typeof value === 'number' && !Number.isInteger(value)) return false;
  const text = String(value);
  if (AMOUNT_KEYS.has(key) && AMOUNT.test(text)) return false;
  if (OPAQUE_KEY.test(key)) return isCardNumber(text);
  return holdsCardNumber(text) && !(key === PHONE_KEY && isPhoneNumber(text));
}

const isForbidden = (key: string): boolean =>
  FORBIDDEN_KEYS.has(
    key
      .normalize('NFKC')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, ''),
  ) || holdsCardNumber(key);
