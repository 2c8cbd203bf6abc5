import { z } from '@hono/zod-openapi';
import { INCIDENT_KIND_NAMES } from '../../domain/incidents/kinds.ts';
import { NOTICE_TARGETS } from '../../domain/incidents/notices.ts';
import { Instant, line, pageQuery } from './common.ts';

const STATES = ['OPEN', 'CLOSED'] as const;
const AREAS = ['ENGINE', 'MONEY'] as const;

const IncidentExample = z
  .object({
    id: z.string().openapi({ description: 'Of the record that it is about', example: 'saga-1' }),
    sagaId: z.string().optional(),
    reservationId: z.string().optional(),
    propertyId: z.string().optional(),
    since: z.iso.datetime().optional(),
    attempts: z.int().optional(),
    code: z.string().optional().openapi({ description: 'Why the last attempt failed' }),
  })
  .openapi('IncidentExample');

const fields = {
  id: z.string(),
  kind: z.string().openapi({
    description: `One of ${INCIDENT_KIND_NAMES.join(', ')}, or of a version to come`,
    example: 'NO_WORKER',
  }),
  subject: z.string().openapi({ description: 'Which of its kind: a role, a queue, a step with its error' }),
  area: z.enum(AREAS),
  severity: z.enum(['CRITICAL', 'WARNING']),
  status: z.enum(STATES),
  summary: z.string().openapi({ example: 'No worker is alive that does the work of "messages".' }),
  next: z.string().openapi({ description: 'What happens by itself' }),
  remedy: z.string().openapi({ description: 'What a person can do' }),
  count: z.int().openapi({ description: 'How many things stand so' }),
  most: z.int(),
  since: z.iso.datetime(),
  firstAt: z.iso.datetime(),
  lastAt: z.iso.datetime(),
  mutedUntil: z.iso.datetime().nullable(),
  mutedBy: z.string().nullable(),
  closedAt: z.iso.datetime().nullable(),
  closedBy: z.string().nullable().openapi({ description: 'Null: it is open, or was over by itself' }),
  reason: z.string().nullable(),
  examples: z.array(IncidentExample).openapi({ description: 'The first five' }),
  version: z.int(),
};
export const Incident = z.object(fields).openapi('Incident');
export const IncidentDetail = z
  .object({
    ...fields,
    told: z.array(
      z.object({
        what: z.enum(['OPENED', 'CLOSED', 'DIGEST']),
        target: z.enum(NOTICE_TARGETS),
        toldAt: z.iso.datetime().nullable().openapi({ description: 'Null: not yet, or given up after a day' }),
        attempts: z.int(),
        lastError: z.string().nullable(),
      }),
    ),
  })
  .openapi('IncidentDetail');
export const IncidentQuery = z.strictObject({
  status: z.enum(STATES).optional(),
  kind: z
    .enum(INCIDENT_KIND_NAMES)
    .optional()
    .openapi({ description: 'Only incidents of this kind, such as `NO_WORKER`' }),
  area: z.enum(AREAS).optional().openapi({ description: 'Only what is about money, or what is not' }),
  ...pageQuery,
});
export const IncidentClosing = z
  .strictObject({ reason: line(500).openapi({ example: 'The worker was moved to another host' }) })
  .openapi('IncidentClosing');
export const IncidentMuting = z
  .strictObject({
    until: Instant.nullable().optional().openapi({
      description: 'Nothing is told until then; null: it is told again from now on',
    }),
    hours: z.int().min(1).max(720).optional().openapi({ description: 'Instead of `until`: for so long from now on' }),
    reason: line(500).openapi({ example: 'The provider is being moved tonight' }),
  })
  .refine(
    ({ until, hours }) => (until === undefined) !== (hours === undefined),
    'say either until when or for how many hours',
  )
  .openapi('IncidentMuting');
