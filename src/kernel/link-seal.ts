import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from './clock.ts';
import { RoomyError } from './errors.ts';

/** A key of the configuration, whatever else it is for. */
interface Key {
  readonly secret: Uint8Array;
}

/**
 * Links that open one page, for somebody whose browser has no token to send: what they open, for whom, and when they end is
 * in them, under an HMAC of the keys of seals. Nothing is stored, so none can be taken back by itself: it ends soon, or by what
 * the record says when it is opened.
 */
export interface LinkSeal {
  /** A link of this kind to a record, for so many seconds. `holder`: whoever it ends with, as a text of one line. */
  seal(
    kind: string,
    id: string,
    lifetimeSeconds: number,
    holder: string,
  ): { readonly token: string; readonly expiresAt: Date };
  /**
   * A link without an end of its own: whoever opens it asks the record whether it still counts, and for this person. The same
   * record and person have the same link, so that each mail has the one before.
   */
  sealLasting(kind: string, id: string, holder: string): string;
  /**
   * A link to what has a name of its own, which is random, given to this link alone, and another one once the link ends: who reads the
   * database knows the name, and cannot make the link of it. Short, for an SMS.
   */
  sealName(kind: NamedLink, name: string): string;
  /** Which link it is. One that is changed or of another kind is looked for by its digest, and nobody has it. */
  openName(kind: NamedLink, token: string): LinkName;
  /** The id of the record, and whose link it is. Throws `NOT_FOUND` for one that is changed, of another kind, or past its end. */
  open(kind: string, token: string): { readonly id: string; readonly holder: string };
}

/** The question whether somebody takes a task, and that to an owner about a repair. */
export type NamedLink = 'offer' | 'approval';
/** Of a link by its name; or of an earlier version, whose links were not sealed, by the SHA-256 of it. */
export type LinkName = { readonly name: string } | { readonly digest: Buffer };

const MAC_BYTES = 32;
/** In the place of the end. */
const LASTING = '-';

/** Any configured key opens a link, as with cursors. */
export function createLinkSeal(keys: readonly Key[], clock: Clock): LinkSeal {
  const macs = (kind: string, payload: string): Buffer[] =>
    keys.map(({ secret }) => createHmac('sha256', secret).update(`roomy link\n${kind}\n${payload}`).digest());
  const tokenOf = (kind: string, end: string, id: string, holder: string): string => {
    const payload = `${end}.${id} ${holder}`;
    const [mac = Buffer.alloc(0)] = macs(kind, payload);
    return Buffer.concat([mac, Buffer.from(payload)]).toString('base64url');
  };
  return {
    seal(kind, id, lifetimeSeconds, holder) {
      const endsAtSeconds = Math.floor(clock.now().getTime() / 1000) + lifetimeSeconds;
      return {
        token: tokenOf(kind, String(endsAtSeconds), id, holder),
        expiresAt: new Date(endsAtSeconds * 1000),
      };
    },
    sealLasting: (kind, id, holder) => tokenOf(kind, LASTING, id, holder),
    sealName(kind, name) {
      const [mac = Buffer.alloc(0)] = macs(kind, name);
      return `${name}.${mac.toString('base64url')}`;
    },
    openName(kind, token) {
      const [name = '', encoded = '', ...rest] = token.split('.');
      const given = Buffer.from(encoded, 'base64url');
      const isOurs =
        rest.length === 0 &&
        given.toString('base64url') === encoded &&
        given.length === MAC_BYTES &&
        macs(kind, name).some((mac) => timingSafeEqual(mac, given));
      return isOurs ? { name } : { digest: createHash('sha256').update(token).digest() };
    },
    open(kind, token) {
      const bytes = Buffer.from(token, 'base64url');
      const given = bytes.subarray(0, MAC_BYTES);
      const payload = bytes.subarray(MAC_BYTES).toString();
      const isOurs =
        bytes.toString('base64url') === token &&
        given.length === MAC_BYTES &&
        macs(kind, payload).some((mac) => timingSafeEqual(mac, given));
      const [, ends, id, holder] = /^(\d+|-)\.(\S+) (.+)$/.exec(payload) ?? [];
      const isOver = ends !== LASTING && !(Number(ends) * 1000 > clock.now().getTime());
      if (!isOurs || id === undefined || holder === undefined || isOver) throw new RoomyError('NOT_FOUND');
      return { id, holder };
    },
  };
}
