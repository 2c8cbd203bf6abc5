import { z } from '@hono/zod-openapi';
import { line } from './common.ts';

export const Redrive = z
  .object({
    id: z.string(),
    incidentId: z.string(),
    status: z.enum(['OPEN', 'DONE', 'STOPPED', 'FAILED']).openapi({
      description: '`DONE`: all were tried. `STOPPED`: by a person. `FAILED`: too many have failed once more',
    }),
    perSecond: z.int(),
    stopAfterErrors: z.int(),
    reason: z.string().nullable().openapi({ description: 'Null for operators where it is about money' }),
    orderedBy: z.string(),
    orderedAt: z.iso.datetime(),
    endedAt: z.iso.datetime().nullable(),
    endedBy: z.string().nullable(),
    endReason: z.string().nullable(),
    sagas: z.object({
      all: z.int(),
      waiting: z.int(),
      retried: z.int().openapi({ description: 'They go on' }),
      done: z.int().openapi({ description: 'They have ended well' }),
      failed: z.int().openapi({ description: 'They have failed once more, or could not be tried' }),
      skipped: z.int().openapi({ description: 'They had moved on before' }),
    }),
    failures: z
      .array(z.object({ sagaId: z.string(), code: z.string().nullable() }))
      .openapi({ description: 'The first five that failed' }),
  })
  .openapi('Redrive');

export const Redrivable = z
  .object({
    group: z
      .object({
        saga: z.string().nullable().openapi({ description: 'Null with `system`: they are of several names and steps' }),
        step: z.string().nullable(),
        code: z.string().nullable(),
        isUndoing: z.boolean().nullable(),
        isParked: z.boolean().nullable().openapi({ description: 'Else they back off; null with `system`: some do' }),
        system: z.string().nullable().openapi({
          description: 'The device, gateway or bank that keeps them from coming on, of an incident `CIRCUIT_OPEN`',
        }),
        count: z.int().openapi({ description: 'How many stand still now; 10 000 stands for so many or more' }),
        parked: z.int().openapi({ description: 'So many of them wait for a person; the others back off' }),
        since: z.iso.datetime().nullable().openapi({ description: 'Since when the first' }),
      })
      .nullable()
      .openapi({ description: 'Null: the incident is about no sagas that can be tried again together' }),
    redrives: z.array(Redrive).openapi({ description: 'What was ordered, newest first; 20 at the most' }),
  })
  .openapi('Redrivable');

export const NewRedrive = z
  .strictObject({
    reason: line(500).openapi({ example: 'The lock server answers again' }),
    perSecond: z.int().min(1).max(50).default(5),
    stopAfterErrors: z.int().min(1).max(1_000).default(5).openapi({
      description: 'It ends when so many of those that were tried have failed once more',
    }),
  })
  .openapi('NewRedrive');
export const RedriveStop = z
  .strictObject({ reason: line(500).openapi({ example: 'It refuses again' }) })
  .openapi('RedriveStop');
