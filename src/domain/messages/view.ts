import type { Selectable } from 'kysely';
import type { NotificationTable } from '../../db/schema.ts';

export type NotificationView = ReturnType<typeof notificationView>;

/** A message as the API shows it: to whom by id, never by address, and never its text. */
export const notificationView = (row: Selectable<NotificationTable>) => ({
  id: row.id,
  event: row.event,
  template: row.template,
  channel: row.channel,
  recipientType: row.recipient_type,
  recipientId: row.recipient_id,
  status: row.status,
  reason: row.reason,
  attempts: row.attempts,
  reservationId: row.reservation_id,
  taskId: row.task_id,
  sagaExecutionId: row.saga_id,
  dueAt: row.due_at.toISOString(),
  dueRule: row.due_rule,
  resendOf: row.resend_of,
  locale: row.locale,
  wantedLocale: row.wanted_locale,
  templateVersion: row.template_version,
  sentAt: row.sent_at?.toISOString() ?? null,
  deliveredAt: row.delivered_at?.toISOString() ?? null,
  fallbackOf: row.fallback_of,
  createdAt: row.created_at.toISOString(),
});
