import { createRoute, z } from '@hono/zod-openapi';
import { recordAudit } from '../../domain/audit/record.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { found } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { noReference } from '../references.ts';
import type { Register } from '../route.ts';
import { line } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals } from '../schemas/envelope.ts';

/** The work of the clock, which people may have done now. */

const PATH = '/api/production/schedules';
const tags = ['Operations'];

export const ScheduleList = z
  .object({
    schedules: z.array(
      z.object({
        name: z.string().openapi({ example: 'assign-sweep' }),
        queue: z.string(),
        job: z.string(),
        everyMs: z.int().openapi({ description: 'Milliseconds between two turns of the clock' }),
      }),
    ),
  })
  .openapi('ScheduleList');
const ScheduleRun = z
  .strictObject({ reason: line(500).openapi({ description: 'Why now; kept in the audit trail' }) })
  .openapi('ScheduleRun');
const AskedFor = z.object({ name: z.string(), queue: z.string(), job: z.string() }).openapi('ScheduleAskedFor');

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List what runs by the clock',
  responses: { 200: answer('The schedules', one(ScheduleList)), ...refusals() },
});
const run = createRoute({
  method: 'post',
  path: `${PATH}/{schedule}/run`,
  tags,
  summary: 'Run a schedule now',
  request: {
    params: z.object({ schedule: noReference(line(64), 'of a schedule of the program itself') }),
    body: jsonOf(ScheduleRun, { reason: 'The gateway is back' }),
  },
  responses: { 200: answer('Asked for', one(AskedFor)), ...bodyRefusals('NOT_FOUND', 'SERVICE_UNAVAILABLE') },
});

export function registerSchedules(register: Register, { schedules }: Services): void {
  register(list, (c) => found(c, { schedules: schedules?.all ?? [] }));
  register.mutation(run, (c, once) => {
    const { schedule: name } = c.req.valid('param');
    const { reason } = c.req.valid('json');
    return once.change(async (tx) => {
      const schedule = schedules?.all.find((one) => one.name === name);
      if (schedules === undefined || !schedule)
        throw new RoomyError('NOT_FOUND', { text: 'There is no such schedule' });
      const body = { outcome: 'success', details: { name, reason } };
      await recordAudit(tx, { streamId: 'schedules', event: 'SCHEDULE_RUN', ...authorOf(c), body });
      // Last, so that what cannot be asked for leaves no trace. A job too many does nothing.
      if (!(await schedules.run(name))) throw new RoomyError('SERVICE_UNAVAILABLE');
      return found(c, { name, queue: schedule.queue, job: schedule.job });
    });
  });
}
