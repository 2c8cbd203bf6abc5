import type { Db } from '../../db/client.ts';
import type { Channel } from '../../db/schema.ts';
import { messageOf } from '../../kernel/errors.ts';
import type { Logger } from '../../kernel/log.ts';
import type { Messenger, OutgoingMessage, SendOutcome } from '../ports.ts';
import { type Conditions, heldBack, loadConditions } from './delivery-conditions.ts';
import { type Facts, loadFacts, valuesOf } from './delivery-facts.ts';
import { type ClaimedNotification, claimDue, MAX_ATTEMPTS, recordVerdicts, type Verdict } from './delivery-rows.ts';
import { renderHtml, renderText } from './render.ts';
import { templateOf } from './templates.ts';

export interface DeliveryDeps {
  readonly db: Db;
  /** May be the same adapter twice; then both channels travel in one call. */
  readonly messengers: Readonly<Record<Channel, Messenger>>;
  /** Where System Alerts go. */
  readonly opsEmail: string;
  readonly log: Logger;
}

export const MAX_CLAIM = 100;

/**
 * Sends what is due, at most `limit` messages, and returns how many it took; zero means that nothing is due. Delivery
 * never touches a saga (T10). Safe to run at once in any number of workers: a row is claimed under a lease, and an
 * outcome counts only for the attempt that holds it. After a crash between a send and its record the message is sent
 * again under the same Message-ID.
 */
export async function deliverDue(deps: DeliveryDeps, options: { readonly limit?: number } = {}): Promise<number> {
  const { EMAIL, SMS } = deps.messengers;
  const limit = Math.min(options.limit ?? MAX_CLAIM, MAX_CLAIM, EMAIL.maxBatch, SMS.maxBatch);
  const claimed = await claimDue(deps.db, limit);
  if (claimed.length === 0) return 0;

  const ids = claimed.map(({ id }) => id);
  const [factRows, conditionRows] = await Promise.all([loadFacts(deps.db, ids), loadConditions(deps.db, ids)]);
  const facts = new Map(factRows.map((row) => [row.id, row]));
  const conditions = new Map(conditionRows.map((row) => [row.id, row]));
  const verdicts = new Map<ClaimedNotification, Verdict>();
  const outgoing = new Map<Messenger, { readonly row: ClaimedNotification; readonly message: OutgoingMessage }[]>();
  for (const row of claimed) {
    const prepared = prepare(row, facts.get(row.id), conditions.get(row.id), deps);
    if ('status' in prepared) {
      verdicts.set(row, prepared);
      continue;
    }
    const messenger = deps.messengers[row.channel];
    const entry = { row, message: prepared };
    const batch = outgoing.get(messenger);
    if (batch) batch.push(entry);
    else outgoing.set(messenger, [entry]);
  }

  await Promise.all(
    [...outgoing].map(async ([messenger, batch]) => {
      const outcomes = await attemptSend(deps, messenger, batch);
      for (const [index, { row }] of batch.entries()) verdicts.set(row, verdictOf(outcomes[index]));
    }),
  );

  const results = [...verdicts].map(([{ id, attempts, waits }, verdict]) => ({ id, attempts, waits, verdict }));
  const recorded = await recordVerdicts(deps.db, results);
  report(deps, results, recorded);
  return claimed.length;
}

/** The message to send, or why it is not sent. */
function prepare(
  row: ClaimedNotification,
  facts: Facts | undefined,
  conditions: Conditions | undefined,
  deps: DeliveryDeps,
): OutgoingMessage | Verdict {
  // Only a crash in every attempt gets here: this row may be what kills the process.
  if (row.attempts - row.waits > MAX_ATTEMPTS) return { status: 'FAILED', reason: 'LEASE_EXPIRED' };
  const template = templateOf(row.template);
  // Perhaps of a newer build that is being rolled out.
  if (!template || !facts || !conditions) return { status: 'RETRY', reason: 'UNKNOWN_TEMPLATE' };

  const { validWhile } = template;
  if (validWhile && (facts.reservationStatus === null || !validWhile.includes(facts.reservationStatus))) {
    return { status: 'SKIPPED', reason: 'STALE' };
  }
  if (template.event === 'TASK_ASSIGNED' && facts.taskStatus !== null && !stillAssigned(facts, row.recipientId)) {
    return { status: 'SKIPPED', reason: 'STALE' };
  }
  const held = heldBack(conditions);
  if (held) return held;
  const to = row.recipientType === 'OPS' ? deps.opsEmail : row.channel === 'SMS' ? facts.phone : facts.email;
  if (!to) return { status: 'SKIPPED', reason: 'NO_ADDRESS' };

  try {
    const values = valuesOf(facts);
    const subject = row.channel === 'EMAIL' ? renderText(template.subject, values) : null;
    const text = renderText(template.message, values);
    const html = row.channel === 'EMAIL' ? renderHtml(template.message, values) : null;
    const missing = [subject, text, html].flatMap((part) => (part && !part.ok ? part.missing : []));
    if (missing.length > 0) return { status: 'BLOCKED', reason: `MISSING ${[...new Set(missing)].join(', ')}` };
    return {
      messageId: `<${row.effectKey}@roomy>`,
      channel: row.channel,
      to,
      subject: subject?.ok ? subject.text : null,
      text: text.ok ? text.text : '',
      html: html?.ok ? html.text : null,
    };
  } catch (error) {
    // Such as a zone that this system does not know: only this message waits for a person.
    deps.log.error({ err: error, notificationId: row.id }, 'a message could not be rendered');
    return { status: 'BLOCKED', reason: 'RENDER_FAILED' };
  }
}

const stillAssigned = (facts: Facts, recipientId: string): boolean =>
  facts.taskAssigneeId === recipientId && (facts.taskStatus === 'ASSIGNED' || facts.taskStatus === 'IN_PROGRESS');

async function attemptSend(
  deps: DeliveryDeps,
  messenger: Messenger,
  batch: readonly { readonly message: OutgoingMessage }[],
): Promise<readonly SendOutcome[]> {
  try {
    return await messenger.send(batch.map(({ message }) => message));
  } catch (error) {
    deps.log.warn({ reason: messageOf(error), messages: batch.length }, 'a batch of messages was not sent');
    return [];
  }
}

function verdictOf(outcome: SendOutcome | undefined): Verdict {
  if (!outcome) return { status: 'RETRY', reason: 'SEND_FAILED' };
  if (outcome.sent) return { status: 'SENT', providerId: outcome.providerId };
  return { status: outcome.permanent ? 'FAILED' : 'RETRY', reason: outcome.reason };
}

function report(deps: DeliveryDeps, results: readonly { id: string; verdict: Verdict }[], recorded: number): void {
  const counts: Record<string, number> = {};
  for (const { id, verdict } of results) {
    counts[verdict.status] = (counts[verdict.status] ?? 0) + 1;
    if (verdict.status === 'BLOCKED' || verdict.status === 'FAILED') {
      deps.log.error({ notificationId: id, status: verdict.status, reason: verdict.reason }, 'a message is not sent');
    }
  }
  deps.log.info({ messages: results.length, fenced: results.length - recorded, counts }, 'messages delivered');
}
