import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SigningKey } from '../config.ts';
import type { Clock } from '../kernel/clock.ts';
import { RoomyError } from '../kernel/errors.ts';

/**
 * Links that open one page for a short while, for somebody whose browser has no token to send: what they open and when
 * they end is in them, under an HMAC of the keys of seals. Nothing is stored, so none can be taken back: they end soon.
 * Who made one is in it too: with that person's standing it ends at once.
 */
export interface LinkSeal {
  /** A link of this kind to a record, for so many seconds, made by this principal. */
  seal(
    kind: string,
    id: string,
    lifetimeSeconds: number,
    madeBy: string,
  ): { readonly token: string; readonly expiresAt: Date };
  /** The id of the record, and who made the link. Throws `NOT_FOUND` for one that is changed, of another kind, or past its end. */
  open(kind: string, token: string): { readonly id: string; readonly madeBy: string };
}

const MAC_BYTES = 32;

/** Any configured key opens a link, as with cursors. */
export function createLinkSeal(keys: readonly SigningKey[], clock: Clock): LinkSeal {
  const macs = (kind: string, payload: string): Buffer[] =>
    keys.map(({ secret }) => createHmac('sha256', secret).update(`roomy link\n${kind}\n${payload}`).digest());
  return {
    seal(kind, id, lifetimeSeconds, madeBy) {
      const endsAtSeconds = Math.floor(clock.now().getTime() / 1000) + lifetimeSeconds;
      const payload = `${endsAtSeconds}.${id} ${madeBy}`;
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
      const [, ends, id, madeBy] = /^(\d+)\.(\S+) (\S+)$/.exec(payload) ?? [];
      if (!isOurs || id === undefined || madeBy === undefined || Number(ends) * 1000 <= clock.now().getTime()) {
        throw new RoomyError('NOT_FOUND');
      }
      return { id, madeBy };
    },
  };
}
