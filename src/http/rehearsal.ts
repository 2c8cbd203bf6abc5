import type { Tx } from '../db/client.ts';
import { readBeginning, readChangeRows, readTouched } from '../domain/stays/change-rows.ts';
import { type Changes, changesBetween, readStanding, type Standing } from '../domain/stays/changes.ts';
import {
  type ReadChanges,
  type RehearsalParts,
  type Rehearsed,
  rehearseChange,
  rehearseSaga,
} from '../engine/rehearse.ts';
import type { SagaRequest, StartableSaga } from '../engine/types.ts';
import { definitionOf } from '../sagas/index.ts';
import { type AnyContext, type AppDeps, callerOf } from './context.ts';
import { onlyTypeOf, workScopeOf } from './own-task.ts';
import { PLAN_TYPE } from './schemas/rehearsals.ts';
import { mayRead, timelineReaderOf } from './timeline.ts';

/** `?dryRun=true`: what a saga would do, for the one who asks; no key is taken for it, and nothing is written. */

/** The route has declared the parameter, or the request would have been refused. */
export const isDryRun = (c: AnyContext): boolean => c.req.query('dryRun') === 'true';

/** Answers 200 with the plan, or refuses as the act would be refused. `beside`: what the route tells besides, read once the plan is made. */
export async function answerRehearsal<Input>(
  c: AnyContext,
  deps: AppDeps,
  definition: StartableSaga<Input>,
  request: Omit<SagaRequest<Input>, 'idempotency'>,
  beside?: () => Promise<object>,
): Promise<Response> {
  return answerPlan(c, deps, (parts, read) => rehearseSaga(parts, definition, request, read), beside);
}

/** The same for a change that is no saga; what it would answer is not told. */
export const rehearseWork = (
  c: AnyContext,
  deps: AppDeps,
  subjectId: string,
  work: (tx: Tx) => Promise<unknown>,
): Promise<Response> => answerPlan(c, deps, (parts, read) => rehearseChange(parts, subjectId, work, read));

async function answerPlan(
  c: AnyContext,
  deps: AppDeps,
  rehearse: (parts: RehearsalParts, read: ReadChanges<Standing>) => Promise<Rehearsed<Standing>>,
  beside: () => Promise<object> = async () => ({}),
): Promise<Response> {
  const { db, ports, log } = deps;
  const beginning = await readBeginning(db);
  const parts = { db, ports, definitionOf, log: log.child({ rehearsal: true }), asker: callerOf(c).principal };
  const { changes: after, ...rehearsed } = await rehearse(parts, async (within, ran) =>
    readStanding(within, await readTouched(within, beginning, 'transaction', ran), deps),
  );
  // Those of an answer that is not given.
  for (const name of ['ETag', 'Location']) c.header(name, undefined);
  const before = await readChangeRows(db, after.touched);
  const plan = planFor(c, rehearsed, changesBetween(before, after));
  return planned(c, { ...plan, ...(await beside()) });
}

/** Of a repeat: what was asked for is done. */
export const answerDone = (c: AnyContext): Response =>
  planned(c, { steps: [], ...NOTHING, calls: [], warnings: ['ALREADY_DONE'] });
const NOTHING: Changes = { changes: [], tasks: [], money: [], messages: [] };

/** Of each kind what the caller is shown elsewhere. Guests and owners are told of the stay alone: the rest is of other people. */
function planFor(c: AnyContext, rehearsed: Omit<Rehearsed<unknown>, 'changes'>, planned: Changes) {
  const { kinds } = timelineReaderOf(c);
  const caller = callerOf(c);
  const isOfHouse = caller.kind === 'service' || (caller.role !== 'GUEST' && caller.role !== 'OWNER');
  const type = onlyTypeOf(c);
  const seesWords = mayRead(c, 'notifications/:id/content');
  const isOwnWork = workScopeOf(c).kind === 'OWN';
  const isOwn = ({ id, assigneeId }: Changes['tasks'][number]): boolean =>
    assigneeId === caller.principal || id === c.req.param('id');
  const sees = (kind: Parameters<typeof kinds.has>[0]): boolean => isOfHouse && kinds.has(kind);
  return {
    steps: rehearsed.steps,
    changes: planned.changes.filter(({ resource }) =>
      resource === 'reservation' ? !isOfHouse || sees('reservation') : sees(KIND_OF[resource]),
    ),
    tasks: planned.tasks.filter((task) =>
      // Who works may list no tasks, and sees their own all the same.
      isOwnWork ? isOfHouse && isOwn(task) : sees('task') && (type === undefined || task.type === type),
    ),
    money: sees('transaction') ? planned.money : [],
    messages: sees('message')
      ? planned.messages.map((message) => ({ ...message, words: seesWords ? message.words : null }))
      : [],
    calls: rehearsed.calls.filter(({ amount }) => (amount === null ? isOfHouse : sees('payment'))),
    warnings: rehearsed.warnings,
  };
}

const KIND_OF = { property: 'task', payment: 'payment', access: 'access' } as const;

function planned(c: AnyContext, plan: object): Response {
  const body = { success: true, data: { dryRun: true, ...plan }, message: 'Nothing was done: this is what would be' };
  return c.body(JSON.stringify(body), 200, { 'Content-Type': PLAN_TYPE });
}
