import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SigningKey } from '../config.ts';
import type { Clock } from '../kernel/clock.ts';
import { RoomyError } from '../kernel/errors.ts';
import { ROLES } from '../kernel/roles.ts';
import type { Caller } from './caller.ts';

/**
 * Links that open one page for a short while, for somebody whose browser has no token to send: what they open and when
 * they end is in them, under an HMAC of the keys of seals. Nothing is stored, so none can be taken back: they end soon.
 * Who made one is in it too, with role and session: it ends with the person, the role, the session or the key.
 */
export interface LinkSeal {
  /** A link of this kind to a record, for so many seconds, made by this caller. */
  seal(
    kind: string,
    id: string,
    lifetimeSeconds: number,
    madeBy: Caller,
  ): { readonly token: string; readonly expiresAt: Date };
  /** The id of the record, and who made the link; a service without its scopes. Throws `NOT_FOUND` for one that is changed, of another kind, or past its end. */
  open(kind: string, token: string): { readonly id: string; readonly madeBy: Caller };
}

const MAC_BYTES = 32;

/** As a link has it: principal, role and session. */
const written = (caller: Caller): string =>
  caller.kind === 'service'
    ? `${caller.principal} ${SERVICE} -`
    : `${caller.principal} ${caller.role ?? '-'} ${caller.session?.id ?? '-'}`;
function madeByOf(principal: string, role: string, session: string): Caller {
  if (role === SERVICE) return { kind: 'service', principal, scopes: new Set() };
  return {
    kind: 'person',
    principal,
    role: ROLES.find((one) => one === role) ?? null,
    session: session === '-' ? null : { id: session, mfaAt: null },
  };
}
const SERVICE = 'service';

/** Any configured key opens a link, as with cursors. */
export function createLinkSeal(keys: readonly SigningKey[], clock: Clock): LinkSeal {
  const macs = (kind: string, payload: string): Buffer[] =>
    keys.map(({ secret }) => createHmac('sha256', secret).update(`roomy link\n${kind}\n${payload}`).digest());
  return {
    seal(kind, id, lifetimeSeconds, madeBy) {
      const endsAtSeconds = Math.floor(clock.now().getTime() / 1000) + lifetimeSeconds;
      const payload = `${endsAtSeconds}.${id} ${written(madeBy)}`;
      const [mac = Buffer.alloc(0)] = macs(kind, payload);
      const token = Buffer.concat([mac, Buffer.from(payload)]).toString('base64url');
      return { token, expiresAt: new Date(endsAtSeconds * 1000) };
    },
    open(kind, token) {
      const bytes = Buffer.from(token, 'base64url');
      const given = bytes.subarray(0, MAC_BYTES);
      const payload = bytes.subarray(MAC_BYTES).toString();
      const isOurs =
        bytes.toString('base64url') === token &&
        given.length === MAC_BYTES &&
        macs(kind, payload).some((mac) => timingSafeEqual(mac, given));
      const [, ends, id, principal = '', role = '', session = ''] =
        /^(\d+)\.(\S+) (\S+) (\S+) (\S+)$/.exec(payload) ?? [];
      if (!isOurs || id === undefined || Number(ends) * 1000 <= clock.now().getTime()) {
        throw new RoomyError('NOT_FOUND');
      }
      return { id, madeBy: madeByOf(principal, role, session) };
    },
  };
}
