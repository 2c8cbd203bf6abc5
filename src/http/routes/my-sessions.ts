import { createRoute } from '@hono/zod-openapi';
import { endAllSessions, noteSessions } from '../../domain/people/administer.ts';
import { endSession, listSessions } from '../../domain/people/sessions.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { found } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { EndedSessions, Session } from '../schemas/accounts.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';

const PATH = '/api/production/me/sessions';
const tags = ['My work'];

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'Where I am signed in, newest first',
  responses: { 200: answer('My sessions', one(Session.array())), ...refusals() },
});
const endOne = createRoute({
  method: 'delete',
  path: `${PATH}/{id}`,
  tags,
  summary: 'End one of my sessions',
  request: { params: IdParam },
  responses: { 200: answer('Ended', one(EndedSessions)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const endAll = createRoute({
  method: 'delete',
  path: PATH,
  tags,
  summary: 'Sign me out everywhere, here too',
  responses: { 200: answer('Ended', one(EndedSessions)), ...refusals() },
});

/** Null: a token of development, whose subject has no account and so no sessions. */
function accountOf(c: AnyContext): string | null {
  const caller = callerOf(c);
  return caller.kind === 'person' ? (caller.accountId ?? null) : null;
}

export function registerMySessions(register: Register, { db, standing }: Services): void {
  register(list, async (c) => {
    const id = accountOf(c);
    const caller = callerOf(c);
    const current = caller.kind === 'person' ? caller.session?.id : undefined;
    const sessions = id === null ? [] : await listSessions(db, id);
    return found(
      c,
      sessions.map((session) => ({ ...session, current: session.id === current })),
    );
  });
  register.mutation(endOne, (c, once) => {
    const { id } = c.req.valid('param');
    const account = accountOf(c);
    return once.change(async (tx, afterCommit) => {
      if (account === null || !(await endSession(tx, id, 'SIGNED_OUT', account))) throw new RoomyError('NOT_FOUND');
      await noteSessions(tx, authorOf(c), account, 'SESSIONS_ENDED', { ended: 1, session: id });
      afterCommit(() => standing.changed(callerOf(c).principal));
      return found(c, { ended: 1 });
    });
  });
  register.mutation(endAll, (c, once) => {
    const id = accountOf(c);
    return once.change(async (tx, afterCommit) => {
      const ended = id === null ? 0 : await endAllSessions(tx, { id }, 'SIGNED_OUT_EVERYWHERE', authorOf(c));
      afterCommit(() => standing.changed(callerOf(c).principal));
      return found(c, { ended });
    });
  });
}
