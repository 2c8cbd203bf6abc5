import { Secret, TOTP } from 'otpauth';
import { renderSVG } from 'uqr';

/** Codes of an authenticator app: RFC 6238 with what every app takes, SHA-1, six digits and steps of 30 seconds. */

const STEP_SECONDS = 30;
/** A step before and after: clocks of phones differ. */
const WINDOW = 1;
const SECRET_BYTES = 20;

const totpOf = (secret: string, label: string): TOTP =>
  new TOTP({
    issuer: 'Roomy',
    label,
    algorithm: 'SHA1',
    digits: 6,
    period: STEP_SECONDS,
    secret: Secret.fromBase32(secret),
  });

export const newTotpSecret = (): string => new Secret({ size: SECRET_BYTES }).base32;

/** The address that an app reads, as a QR code in SVG. */
export const qrOf = (secret: string, email: string): string => renderSVG(totpOf(secret, email).toString());

/** The time step that a code belongs to; null for one of none that counts now. Whether it counted before is the account's to say. */
export function stepOf(secret: string, code: string, at: Date): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const timestamp = at.getTime();
  const delta = totpOf(secret, '').validate({ token: code, timestamp, window: WINDOW });
  return delta === null ? null : Math.floor(timestamp / 1_000 / STEP_SECONDS) + delta;
}
