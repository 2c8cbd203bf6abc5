import { type Beginning, readBeginning, readChangeRows, readTouched } from '../domain/stays/change-rows.ts';
import { type Changes, changesBetween, readStanding } from '../domain/stays/changes.ts';
import { type RanSagas, type Rehearsed, rehearseSaga } from '../engine/rehearse.ts';
import type { SagaRequest, StartableSaga } from '../engine/types.ts';
import type { Db } from '../db/client.ts';
import { definitionOf } from '../sagas/index.ts';
import { found } from './answers.ts';
import { type AnyContext, type AppDeps, callerOf } from './context.ts';
import { onlyTypeOf } from './own-task.ts';
import { timelineReaderOf } from './timeline.ts';

/** `?dryRun=true`: what a saga would do, for the one who asks; no key is taken for it, and nothing is written. */

/** The route has declared the parameter, or the request would have been refused. */
export const isDryRun = (c: AnyContext): boolean => c.req.query('dryRun') === 'true';

/** Answers 200 with the plan, or refuses as the act would be refused. `beside`: what the route tells besides, read once the plan is made. */
export async function answerRehearsal<Input>(
  c: AnyContext,
  { db, ports, log }: AppDeps,
  definition: StartableSaga<Input>,
  request: Omit<SagaRequest<Input>, 'idempotency'>,
  beside: () => Promise<object> = async () => ({}),
): Promise<Response> {
  const beginning = await readBeginning(db);
  const { changes: after, ...rehearsed } = await rehearseSaga(
    { db, ports, definitionOf, log: log.child({ rehearsal: true }) },
    definition,
    request,
    (within, ran) => standingSince(within, beginning, ran),
  );
  const before = await readChangeRows(db, after.touched);
  const plan = planFor(c, rehearsed, changesBetween(before, after));
  return found(c, { dryRun: true, ...plan, ...(await beside()) }, 'Nothing was done: this is what would be');
}

const standingSince = async (db: Db, beginning: Beginning, ran: RanSagas) =>
  readStanding(db, await readTouched(db, beginning, 'transaction', ran));

/** Of a repeat: what was asked for is done. */
export const answerDone = (c: AnyContext): Response =>
  found(c, { dryRun: true, steps: [], ...NOTHING, calls: [], warnings: ['ALREADY_DONE'] });
const NOTHING: Changes = { changes: [], tasks: [], money: [], messages: [] };

/** Of each kind what the caller is shown elsewhere. Guests and owners are told of the stay alone: the rest is of other people. */
function planFor(c: AnyContext, rehearsed: Omit<Rehearsed<unknown>, 'changes'>, planned: Changes) {
  const { kinds } = timelineReaderOf(c);
  const caller = callerOf(c);
  const isOfHouse = caller.kind === 'service' || (caller.role !== 'GUEST' && caller.role !== 'OWNER');
  const type = onlyTypeOf(c);
  const sees = (kind: Parameters<typeof kinds.has>[0]): boolean => isOfHouse && kinds.has(kind);
  return {
    steps: rehearsed.steps,
    changes: planned.changes.filter(({ resource }) => resource === 'reservation' || sees(KIND_OF[resource])),
    tasks: planned.tasks.filter((task) => sees('task') && (type === undefined || task.type === type)),
    money: sees('transaction') ? planned.money : [],
    messages: sees('message') ? planned.messages : [],
    calls: rehearsed.calls.filter(({ amount }) => (amount === null ? isOfHouse : sees('payment'))),
    warnings: rehearsed.warnings,
  };
}

const KIND_OF = { property: 'task', payment: 'payment', access: 'access' } as const;
