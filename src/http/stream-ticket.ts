import { z } from '@hono/zod-openapi';
import type { Db } from '../db/client.ts';
import type { Json } from '../db/schema.ts';
import { takeTicket } from '../domain/events/stream-tickets.ts';
import { type Caller, ROLES, unauthenticated } from './auth.ts';
import type { AnyContext } from './context.ts';

/** A ticket instead of a token, for the one address that browsers open without headers. */

export const STREAM_PATH = '/api/production/events/stream';

/** Who sends a token needs no ticket. */
export const takesTicket = (c: AnyContext, pattern: string): boolean =>
  pattern === STREAM_PATH && c.req.header('authorization') === undefined && c.req.query('ticket') !== undefined;

const proof = { principal: z.string(), validUntil: z.coerce.date().nullable() };
const Kept = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('person'), ...proof, role: z.enum(ROLES).nullable(), sessionId: z.string().nullable() }),
  z.object({ kind: z.literal('service'), ...proof, scopes: z.array(z.string()), keyDigest: z.string().nullable() }),
]);

/** Who asked for the ticket, as they were known then, and the session, the token and the key with which it ends. */
export function keptCaller(caller: Caller): Json {
  const { principal } = caller;
  const validUntil = caller.validUntil?.toISOString() ?? null;
  return caller.kind === 'person'
    ? { kind: caller.kind, principal, validUntil, role: caller.role, sessionId: caller.session?.id ?? null }
    : { kind: caller.kind, principal, validUntil, scopes: [...caller.scopes], keyDigest: caller.keyDigest ?? null };
}

/** Throws `UNAUTHENTICATED` for a ticket that was used, has expired, or never was one. */
export async function callerByTicket(c: AnyContext, db: Db): Promise<Caller> {
  const { data } = Kept.safeParse(await takeTicket(db, c.req.query('ticket') ?? ''));
  if (data === undefined) throw unauthenticated('ticket');
  const { principal } = data;
  const end = data.validUntil === null ? {} : { validUntil: data.validUntil };
  if (data.kind === 'service') {
    const key = data.keyDigest === null ? {} : { keyDigest: data.keyDigest };
    return { kind: data.kind, principal, scopes: new Set(data.scopes), ...end, ...key };
  }
  const session = data.sessionId === null ? null : { id: data.sessionId, mfaAt: null };
  return { kind: data.kind, principal, role: data.role, session, ...end };
}
