import { sql } from 'kysely';
import { expect } from 'vitest';
import type { Db } from '../../src/db/client.ts';

/**
 * Each System Alert has the text of the thing that it is about: only a saga that has parked is said to wait for a retry, and a
 * notice names no saga. Answers the texts by code.
 */
export async function expectAlertsFit(db: Db): Promise<Readonly<Record<string, string>>> {
  const { rows } = await sql<{ template: string; code: string; id: string; fits: boolean }>`
    SELECT n.template, n.params ->> 'code' AS code, s.id, CASE n.template
        WHEN 'system-alert.ops@1' THEN EXISTS (SELECT FROM audit_log a WHERE a.saga_id = s.id AND a.event = 'SAGA_PARKED')
        WHEN 'approval-alert.ops@1' THEN EXISTS (SELECT FROM approval q WHERE q.saga_id = s.id OR q.id = n.params ->> 'sagaId')
        WHEN 'undone-alert.ops@1' THEN s.status IN ('compensating', 'compensated', 'parked', 'resolved')
        WHEN 'stuck-alert.ops@1' THEN s.id IS NOT NULL
        WHEN 'refund-alert.ops@1' THEN n.params ->> 'code' = 'MANUAL_REQUIRED'
        WHEN 'task-alert.ops@1' THEN EXISTS (SELECT FROM task t WHERE t.id = n.params ->> 'sagaId')
        WHEN 'message-alert.ops@1' THEN EXISTS (SELECT FROM notification m WHERE m.id = n.params ->> 'sagaId')
        ELSE s.id IS NULL END IS TRUE AS fits
      FROM notification n LEFT JOIN saga s ON s.id = n.params ->> 'sagaId' WHERE n.event = 'SYSTEM_ALERT' ORDER BY n.created_at, n.id`.execute(
    db,
  );
  expect(rows.filter(({ fits }) => !fits)).toEqual([]);
  return Object.fromEntries(rows.map(({ code, template }) => [code, template]));
}
