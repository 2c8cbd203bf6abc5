import { getNotification } from '../domain/messages/resource.ts';
import { getGuest } from '../domain/people/guests.ts';
import { getProperty } from '../domain/properties/resource.ts';
import { getRecurrence } from '../domain/tasks/recurrence-resource.ts';
import { assertOwnTask } from '../domain/tasks/work.ts';
import { type AnyContext, callerOf, type Services } from './context.ts';
import { assertOwnStay } from './own-stay.ts';
import { workScopeOf } from './own-task.ts';
import { agentOf, holderOf } from './portfolio.ts';

type Check = (c: AnyContext, services: Services, id: string) => Promise<unknown>;

/** By the noun of an address: throws the refusal of a record that is not the caller's, which is that of one that does not exist. */
const CHECKS: Readonly<Record<string, Check>> = {
  reservations: (c, { db }, id) => assertOwnStay(c, db, id),
  tasks: (c, { db }, id) => assertOwnTask(db, id, workScopeOf(c)),
  properties: (c, { db }, id) => getProperty(db, id, holderOf(c)),
  recurrences: (c, { db }, id) => getRecurrence(db, id, agentOf(c)),
  guests: (c, { db }, id) => getGuest(db, id, agentOf(c)),
  notifications: (c, { db }, id) => getNotification(db, id, agentOf(c)),
};

/** The rights to these come from an assignment, which the act itself may end: who declines a task has it no more. */
const WORK = /\/tasks\/[^/]+\/(?:start|complete|accept|decline|photos\/[^/]+)$/;
const RECORD = /\/api\/production\/([a-z-]+)\/([^/?]+)/;

/**
 * Checked before a kept answer goes out again: rights that came with a property end with it. An agent whose property was given to
 * another, an owner who has sold, and a guest whose stay is somebody else's by now are refused as on every other request
 * (security.md Z3, Z4). `location`: the address of the record that the first request has created.
 */
export async function assertStillOwn(c: AnyContext, services: Services, location: string | undefined): Promise<void> {
  const caller = callerOf(c);
  const bounded = caller.kind === 'person' && ['AGENT', 'OWNER', 'GUEST'].includes(caller.role ?? '');
  if (!bounded || WORK.test(c.req.path)) return;
  for (const address of [c.req.path, location]) {
    const [, noun = '', id = ''] = RECORD.exec(address ?? '') ?? [];
    const check = Object.hasOwn(CHECKS, noun) ? CHECKS[noun] : undefined;
    await check?.(c, services, decodeURIComponent(id));
  }
}
