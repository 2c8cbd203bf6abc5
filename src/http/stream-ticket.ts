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

const Kept = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('person'),
    principal: z.string(),
    role: z.enum(ROLES).nullable(),
    sessionId: z.string().nullable(),
  }),
  z.object({ kind: z.literal('service'), principal: z.string(), scopes: z.array(z.string()) }),
]);

/** Who asked for the ticket, as they were known then, and the session with which it ends. */
export const keptCaller = (caller: Caller): Json =>
  caller.kind === 'person'
    ? { kind: caller.kind, principal: caller.principal, role: caller.role, sessionId: caller.session?.id ?? null }
    : { kind: caller.kind, principal: caller.principal, scopes: [...caller.scopes] };

/** Throws `UNAUTHENTICATED` for a ticket that was used, has expired, or never was one. */
export async function callerByTicket(c: AnyContext, db: Db): Promise<Caller> {
  const kept = Kept.safeParse(await takeTicket(db, c.req.query('ticket') ?? ''));
  if (!kept.success) throw unauthenticated('ticket');
  const { data } = kept;
  if (data.kind === 'service') return { ...data, scopes: new Set(data.scopes) };
  const { kind, principal, role, sessionId } = data;
  return { kind, principal, role, session: sessionId === null ? null : { id: sessionId, mfaAt: null } };
}
