import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { AlertCode } from '../notifications/alert-codes.ts';
import { raiseAlert, raiseAlertOnce } from '../notifications/alerts.ts';
import { noteNobodyFound, postponeTasks } from '../tasks/store/assign.ts';
import type { OpenTask } from './open-task.ts';
import type { Unplanned } from './plan.ts';

/** Tasks that nobody can take for now: when they are looked at again, and which alerts are raised (domain.md 11). */

/** Until the next try, by the number of tries so far; then hourly. */
const RETRY_MINUTES = [5, 15, 60];
/** Hours before its start at which an alert about an unassigned task is raised again, and the `alert_level` that records it. */
const ESCALATIONS = [
  { hours: 4, level: 3, code: 'TASK_UNASSIGNED_4H' },
  { hours: 24, level: 2, code: 'TASK_UNASSIGNED_24H' },
] as const;
export const ALERTED_ONCE = 1;
const HOUR_MS = 3_600_000;

/** It was not these tasks' fault: they are due again in a second. */
export async function postpone(tx: Tx, tasks: readonly OpenTask[]): Promise<void> {
  if (tasks.length === 0) return;
  await postponeTasks(
    tx,
    tasks.map(({ id }) => id),
  );
}

/** Looked at again after 5, 15 and 60 minutes, then hourly, and at the hours of `ESCALATIONS`; raises the alerts. */
export async function postponeForNobody(tx: Tx, nobody: readonly Unplanned[]): Promise<void> {
  if (nobody.length === 0) return;
  const { rows } = await sql<{ now_ms: number }>`SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms`.execute(
    tx,
  );
  const nowMs = rows[0]?.now_ms ?? 0;
  const looked = nobody.map(({ task, wanted, explanation, isSilence }) => {
    const startMs = wanted.window.firstMs;
    const escalation = ESCALATIONS.find(({ hours }) => startMs - nowMs <= hours * HOUR_MS);
    const retryMs = nowMs + (RETRY_MINUTES[task.assign_attempts] ?? 60) * 60_000;
    const nextMs = ESCALATIONS.map(({ hours }) => startMs - hours * HOUR_MS).filter((at) => at > nowMs);
    return { task, explanation, escalation, isSilence, next: new Date(Math.min(retryMs, ...nextMs)).toISOString() };
  });
  const items = looked.map(({ task, explanation, escalation, next }) => ({
    id: task.id,
    next,
    why: explanation,
    level: Math.max(task.alert_level, escalation?.level ?? ALERTED_ONCE),
  }));
  await noteNobodyFound(tx, items);
  // One alert about a task at a time, and one alert when nobody who was asked twice has answered.
  for (const { task } of looked.filter(({ isSilence }) => isSilence)) await alertAbout(tx, task, 'NOBODY_ANSWERED');
  const fresh = looked.filter(
    ({ task, escalation, isSilence }) => task.alert_level < ALERTED_ONCE && !escalation && !isSilence,
  );
  for (const type of new Set(fresh.map(({ task }) => task.type))) {
    const id = fresh.find(({ task }) => task.type === type)?.task.id ?? '';
    const alert = { about: 'task', id, source: 'TaskOrchestrator', step: type, code: 'NO_STAFF_AVAILABLE' } as const;
    await raiseAlert(tx, { ...alert, group: `unassigned-${type}` });
  }
  for (const { task, escalation } of looked) {
    if (escalation && task.alert_level < escalation.level) await alertAbout(tx, task, escalation.code);
  }
}

/** A System Alert about one task; there is one of each code for a task, however often it happens; `occasion` distinguishes further ones. */
export const alertAbout = (
  tx: Tx,
  task: { readonly id: string; readonly type: string },
  code: AlertCode,
  occasion = '',
): Promise<void> =>
  raiseAlertOnce(tx, {
    about: 'task',
    id: task.id,
    source: 'TaskOrchestrator',
    step: task.type,
    code,
    group: `${task.id}-${code}${occasion}`,
  });

/** A System Alert about who does not come: whoever is ill says so to every task, and is told of once an hour. */
export const alertAboutPerson = (
  tx: Tx,
  task: { readonly id: string; readonly type: string; readonly assigneeId: string },
  code: 'TASK_DECLINED' | 'TASK_NOT_ANSWERED',
): Promise<void> =>
  raiseAlert(tx, {
    about: 'task',
    id: task.id,
    source: 'TaskOrchestrator',
    step: task.type,
    code,
    group: `${code}-${task.assigneeId}`,
  });
