import { ROLES } from '../kernel/roles.ts';
import type { Caller } from './caller.ts';

/** Who made a link, as its seal has it: it ends with the person, the role, the session or the key. */

const SERVICE = 'service';

/** Principal, role and session. */
export const textOf = (caller: Caller): string =>
  caller.kind === 'service'
    ? `${caller.principal} ${SERVICE} -`
    : `${caller.principal} ${caller.role ?? '-'} ${caller.session?.id ?? '-'}`;

/** A service has none of its scopes. */
export function makerOf(text: string): Caller {
  const [principal = '', role = '', session = ''] = text.split(' ');
  if (role === SERVICE) return { kind: 'service', principal, scopes: new Set() };
  return {
    kind: 'person',
    principal,
    role: ROLES.find((one) => one === role) ?? null,
    session: session === '-' || session === '' ? null : { id: session, mfaAt: null },
  };
}
