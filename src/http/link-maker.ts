import { ROLES } from '../kernel/roles.ts';
import type { Caller } from './caller.ts';

/** Who made a link, as its seal has it: it ends with the person, the role, the session or the key, and with the token that it was got by. */

const SERVICE = 'service';
const NONE = '-';

/** Principal, role, and session or key. The end of a token is the link's own (`lifetimeOf`). */
export const textOf = (caller: Caller): string =>
  caller.kind === 'service'
    ? `${caller.principal} ${SERVICE} ${caller.keyDigest ?? NONE}`
    : `${caller.principal} ${caller.role ?? NONE} ${caller.session?.id ?? NONE}`;

/** A service has none of its scopes. */
export function makerOf(text: string): Caller {
  const [principal = '', role = '', by = NONE] = text.split(' ');
  if (role === SERVICE) {
    return { kind: 'service', principal, scopes: new Set(), ...(by === NONE ? {} : { keyDigest: by }) };
  }
  return {
    kind: 'person',
    principal,
    role: ROLES.find((one) => one === role) ?? null,
    session: by === NONE ? null : { id: by, mfaAt: null },
  };
}

/** How long a link counts, in seconds: so long, and not longer than the token by which it is got. */
export function lifetimeOf(caller: Caller, seconds: number, now: Date): number {
  const left = caller.validUntil === undefined ? seconds : (caller.validUntil.getTime() - now.getTime()) / 1000;
  return Math.min(seconds, Math.floor(left));
}
