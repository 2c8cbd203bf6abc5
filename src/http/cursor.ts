import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SigningKey } from '../config.ts';
import type { Position } from '../domain/paging.ts';
import { RoomyError } from '../kernel/errors.ts';
import { canonicalJson } from '../kernel/json.ts';

/**
 * Opaque cursors: a position, sealed together with the list and the filter that it belongs to, so that a cursor that was
 * changed, or that comes from another list, is refused instead of giving a wrong page.
 */
export interface CursorSeal {
  seal(list: string, filter: object, position: Position): string;
  /** Throws `INVALID_CURSOR`. */
  open(list: string, filter: object, cursor: string): Position;
}

const MAC_BYTES = 16;

/** Any configured key opens a cursor, so that rotating keys does not break a walk that is under way. */
export function createCursorSeal(keys: readonly SigningKey[]): CursorSeal {
  const macs = (list: string, filter: object, payload: string): Buffer[] =>
    keys.map((key) =>
      createHmac('sha256', key.secret)
        .update(`roomy cursor\n${list}\n${canonicalJson(definedOnly(filter))}\n${payload}`)
        .digest()
        .subarray(0, MAC_BYTES),
    );

  return {
    seal(list, filter, position) {
      const payload = JSON.stringify([position.at, position.id]);
      const [mac = Buffer.alloc(0)] = macs(list, filter, payload);
      return Buffer.concat([mac, Buffer.from(payload)]).toString('base64url');
    },
    open(list, filter, cursor) {
      const bytes = Buffer.from(cursor, 'base64url');
      const payload = bytes.subarray(MAC_BYTES).toString();
      const given = bytes.subarray(0, MAC_BYTES);
      const known =
        bytes.toString('base64url') === cursor &&
        given.length === MAC_BYTES &&
        macs(list, filter, payload).some((mac) => timingSafeEqual(mac, given));
      if (!known) throw new RoomyError('INVALID_CURSOR');
      return positionOf(JSON.parse(payload));
    },
  };
}

function positionOf(value: unknown): Position {
  if (Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string') {
    return { at: value[0], id: value[1] };
  }
  throw new RoomyError('INVALID_CURSOR');
}

const definedOnly = (filter: object): object =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
