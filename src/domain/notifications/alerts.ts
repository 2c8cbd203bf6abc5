import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { ErrorCode } from '../../kernel/errors.ts';
import { NOTIFICATION, newId } from '../../kernel/ids.ts';
import type { AlertCode } from './alert-codes.ts';
import type { OrderedText } from './enqueue.ts';
import { insertNotifications } from './store/order.ts';

/**
 * The kind of thing that needs a person. It decides the text, and so which way out the text names. A `saga` is parked and
 * waits for a person; an `approval` is a saga, or a question about something else, that waits for a second person; an `undone-saga` failed and asks for nothing; a `stuck-saga` is still tried.
 */
export const ALERT_SUBJECTS = [
  'saga',
  'approval',
  'undone-saga',
  'stuck-saga',
  'reservation',
  'refund',
  'task',
  'message',
  'channel',
  'webhook',
  'rule',
  'gateway',
  'owner',
  'reconciliation',
  'integrity',
  'sweep',
  'queue',
] as const;
export type AlertSubject = (typeof ALERT_SUBJECTS)[number];

interface AlertOf<Subject extends AlertSubject, Code extends string> {
  readonly about: Subject;
  /** Of the subject: a saga's for a refund, a name where the subject has no row. */
  readonly id: string;
  /** The part of the system that says so: a saga's or a component's name. */
  readonly source: string;
  readonly step: string | null;
  /** A stable reason in capitals: the runbook has a page for each. */
  readonly code: Code;
  /** Alerts of one group share one message an hour. */
  readonly group: string;
}
/** The code is of one of the two catalogues, or the reason that another system gave. */
export type Alert =
  | AlertOf<AlertSubject, AlertCode | ErrorCode>
  | AlertOf<'message', string>
  | (AlertOf<'undone-saga', string> & {
      readonly source: 'processPayment';
      readonly step: 'createGuestPaymentTransaction';
    });

/** The keys of the texts of alerts, by subject; `other`: of all subjects without one. `catalogue/system-alert.ts` has the texts. */
export const ALERT_TEXTS = {
  saga: 'system-alert.ops@1',
  approval: 'approval-alert.ops@1',
  'undone-saga': 'undone-alert.ops@1',
  'stuck-saga': 'stuck-alert.ops@1',
  refund: 'refund-alert.ops@1',
  task: 'task-alert.ops@1',
  message: 'message-alert.ops@1',
  other: 'notice-alert.ops@1',
} as const;
export const ALERT_EVENT = 'SYSTEM_ALERT';

const hasOwnText = (about: AlertSubject): about is AlertSubject & keyof typeof ALERT_TEXTS => about in ALERT_TEXTS;

/** The message to operations about a subject of this kind. */
export const alertText = (about: AlertSubject): OrderedText => ({
  event: ALERT_EVENT,
  template: ALERT_TEXTS[hasOwnText(about) ? about : 'other'],
  channel: 'EMAIL',
  recipientType: 'OPS',
  recipientId: 'ops',
});

/** Calls a person, in the caller's transaction: one message an hour (UTC) for the alerts of one group. */
export const raiseAlert = (db: Db | Tx, alert: Alert): Promise<void> =>
  insertAlert(
    db,
    alert,
    sql<string>`${`alert-${alert.group}-`}::text || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24')`,
  );

/** Calls a person once for the group, however often it is raised. */
export const raiseAlertOnce = (db: Db | Tx, alert: Alert): Promise<void> =>
  insertAlert(db, alert, sql<string>`${`alert-${alert.group}`}::text`);

/** Parameters of the texts of alerts; the names are those of rows that were written before. */
export interface AlertParams {
  readonly sagaName: string;
  readonly step: string | null;
  readonly code: string;
  readonly sagaId: string;
}

async function insertAlert(
  db: Db | Tx,
  { about, id, source, step, code }: Alert,
  effectKey: RawBuilder<string>,
): Promise<void> {
  const { event, template, channel, recipientType, recipientId } = alertText(about);
  const params: AlertParams & { readonly about: AlertSubject } = { sagaName: source, step, code, sagaId: id, about };
  await insertNotifications(db, [
    {
      id: newId(NOTIFICATION),
      effect_key: effectKey,
      event,
      template,
      channel,
      recipient_type: recipientType,
      recipient_id: recipientId,
      params: JSON.stringify(params),
    },
  ]);
}
