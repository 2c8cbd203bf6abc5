import { createRoute, z } from '@hono/zod-openapi';
import { recordAudit } from '../../domain/audit/record.ts';
import { lastPauses } from '../../domain/incidents/queue-pauses.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { found } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { noReference } from '../references.ts';
import type { Register } from '../route.ts';
import { line } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals } from '../schemas/envelope.ts';

/** The queues, which people pause and resume. */

const PATH = '/api/production/queues';
const tags = ['Operations'];

const QueueStanding = z
  .object({
    name: z.string().openapi({ example: 'finance' }),
    isPaused: z.boolean(),
    pausedBy: z
      .object({
        by: z.string(),
        at: z.iso.datetime(),
        reason: z.string().nullable().openapi({ description: 'Null: it was paused in Bull Board' }),
      })
      .nullable()
      .openapi({ description: 'Null: it is not paused, or the audit trail of late does not say by whom' }),
  })
  .openapi('QueueStanding');
export const QueueList = z.object({ queues: z.array(QueueStanding) }).openapi('QueueList');
const QueueAct = z
  .strictObject({ reason: line(500).openapi({ description: 'Why; kept in the audit trail' }) })
  .openapi('QueueAct');
const QueueState = z.object({ name: z.string(), isPaused: z.boolean() }).openapi('QueueState');

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List the queues, and who has paused those that stand',
  responses: { 200: answer('The queues', one(QueueList)), ...refusals('SERVICE_UNAVAILABLE') },
});
const act = (verb: 'pause' | 'resume', summary: string, reason: string) =>
  createRoute({
    method: 'post',
    path: `${PATH}/{queue}/${verb}`,
    tags,
    summary,
    request: {
      params: z.object({ queue: noReference(line(64), 'of a queue of the program itself') }),
      body: jsonOf(QueueAct, { reason }),
    },
    responses: { 200: answer('Done', one(QueueState)), ...bodyRefusals('NOT_FOUND', 'SERVICE_UNAVAILABLE') },
  });
const pause = act('pause', 'Pause a queue', 'The bank moves its systems tonight');
const resume = act('resume', 'Resume a queue', 'The bank is back');

export function registerQueues(register: Register, { db, queues }: Services): void {
  register(list, async (c) => {
    const states = (await queues?.states()) ?? null;
    if (states === null) throw new RoomyError('SERVICE_UNAVAILABLE');
    const pauses = await lastPauses(
      db,
      states.flatMap(({ name, isPaused }) => (isPaused ? [name] : [])),
    );
    return found(c, { queues: states.map((state) => ({ ...state, pausedBy: pauses.get(state.name) ?? null })) });
  });
  for (const [route, isPaused, event] of [
    [pause, true, 'QUEUE_PAUSED'],
    [resume, false, 'QUEUE_RESUMED'],
  ] as const) {
    register.mutation(route, (c, once) => {
      const { queue: name } = c.req.valid('param');
      const { reason } = c.req.valid('json');
      return once.change(async (tx) => {
        if (!queues?.names.includes(name)) throw new RoomyError('NOT_FOUND', { text: 'There is no such queue' });
        const body = { outcome: 'success', details: { queue: name, reason } };
        await recordAudit(tx, { streamId: 'queues', event, ...authorOf(c), body });
        // Last, so that what cannot be done leaves no trace. Done twice it is as done once.
        if (!(await queues.set(name, isPaused))) throw new RoomyError('SERVICE_UNAVAILABLE');
        return found(c, { name, isPaused });
      });
    });
  }
}
