import { expect, it } from 'vitest';
import type { IncidentView } from '../domain/incidents/resource.ts';
import { postOf, WEBHOOK_FORMATS } from './formats.ts';

const AT = '2031-02-01T08:00:00.000Z';
const INCIDENT: IncidentView = {
  id: 'incident-1',
  kind: 'NO_WORKER',
  subject: 'sagas',
  area: 'ENGINE',
  severity: 'CRITICAL',
  status: 'CLOSED',
  summary: 'No worker is alive that does the work of "sagas".',
  next: 'Work waits.',
  remedy: 'Start a worker.',
  count: 1,
  most: 1,
  since: AT,
  firstAt: AT,
  lastAt: AT,
  mutedUntil: null,
  mutedBy: null,
  closedAt: AT,
  closedBy: null,
  reason: null,
  examples: [],
  version: 1,
};

it('says in a chat that what is over is no longer so', () => {
  const settings = { format: 'slack', key: null, publicUrl: 'https://roomy.example' } as const;
  const textOf = (isOver: boolean): string =>
    JSON.parse(postOf({ noticeId: 1, isOver, incident: INCIDENT }, settings, new Date(AT)).body).text;
  expect(WEBHOOK_FORMATS).toContain(settings.format);
  expect(textOf(false)).toBe(`Critical: ${INCIDENT.summary}`);
  expect(textOf(true)).toBe(`Over: this is no longer so: ${INCIDENT.summary}`);
});
