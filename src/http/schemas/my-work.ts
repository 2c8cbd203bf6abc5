import { z } from '@hono/zod-openapi';
import { secret } from '../secrets.ts';
import { GeoPoint, pageQuery } from './common.ts';
import { periodFields } from './period.ts';
import { Checklist, TaskStatus, TaskType } from './tasks.ts';

export const MyTaskQuery = z.strictObject({
  /** Default: what is open and late, what was done today and began within two days, and a week from today. */
  ...periodFields('Begins'),
  status: TaskStatus.optional(),
  ...pageQuery,
});
const instant = z.iso.datetime().nullable();
export const MyTask = z
  .object({
    id: z.string(),
    type: TaskType,
    title: z.string().openapi({ description: 'Of a meeting only agents see whom they meet' }),
    description: z.string().nullable(),
    status: TaskStatus,
    priority: z.string(),
    startsAt: z.iso.datetime(),
    endsAt: z.iso.datetime(),
    mustFinishBy: instant,
    local: z
      .object({ date: z.iso.date(), from: z.string(), to: z.string(), timeZone: z.string() })
      .openapi({ description: 'At the property' }),
    property: z.object({
      id: z.string(),
      name: z.string(),
      region: z.string().nullable(),
      location: GeoPoint.nullable(),
    }),
    checklist: Checklist,
    acceptBy: instant,
    acceptedAt: instant,
    startedAt: instant,
    completedAt: instant,
    version: z.int(),
  })
  .openapi('MyTask');
export const Feed = z.object({ url: secret(z.url()) }).openapi('CalendarFeed');
export const FeedParams = z.strictObject({ file: z.string().max(100) });
