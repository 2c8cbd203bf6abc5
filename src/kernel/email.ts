import { domainToASCII } from 'node:url';
import validator from 'validator';

/** RFC 5321, 4.5.3.1. */
const MAX_ADDRESS = 254;
const UNSEEN = /[\p{Cf}\p{Cc}\p{Z}]/u;

/**
 * An e-mail address as mail servers take it: `post@пример.рф` is `post@xn--e1afmkfd.xn--p1ai`. Null for what is none, and for
 * what few servers deliver to: a quoted local part, or one outside ASCII (SMTPUTF8).
 */
export function canonicalEmail(text: string): string | null {
  const at = text.lastIndexOf('@');
  if (at <= 0 || UNSEEN.test(text) || text.startsWith('"')) return null;
  const ascii = `${text.slice(0, at)}@${domainToASCII(text.slice(at + 1))}`;
  const isSendable = ascii.length <= MAX_ADDRESS && validator.isEmail(ascii, { allow_utf8_local_part: false });
  return isSendable && validator.isEmail(text, { allow_utf8_local_part: false }) ? ascii : null;
}
