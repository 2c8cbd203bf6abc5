import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { accountEmailChangedMessages } from '../../src/domain/messages/catalogue/account-email-changed.ts';
import { accountInvitedMessage } from '../../src/domain/messages/catalogue/account-invited.ts';
import type { AccountLink } from '../../src/domain/messages/catalogue/account-mail.ts';
import {
  approvalDecidedMessage,
  approvedButUndoneMessage,
} from '../../src/domain/messages/catalogue/approval-decided.ts';
import { checkInPromptMessages } from '../../src/domain/messages/catalogue/check-in-prompt.ts';
import { checkOutPromptMessages } from '../../src/domain/messages/catalogue/check-out-prompt.ts';
import type { Message } from '../../src/domain/messages/catalogue/define.ts';
import { MESSAGES } from '../../src/domain/messages/catalogue/index.ts';
import * as alerts from '../../src/domain/messages/catalogue/maintenance-alert.ts';
import { chargedMessage, maintenanceDoneMessage } from '../../src/domain/messages/catalogue/maintenance-done.ts';
import * as repairs from '../../src/domain/messages/catalogue/maintenance-required.ts';
import { paymentConfirmedMessages } from '../../src/domain/messages/catalogue/payment-confirmed.ts';
import { paymentFailedMessage } from '../../src/domain/messages/catalogue/payment-failed.ts';
import {
  payoutAccountChangedMessage,
  payoutAccountRefusedMessage,
} from '../../src/domain/messages/catalogue/payout-account-changed.ts';
import { payoutFailedMessage } from '../../src/domain/messages/catalogue/payout-failed.ts';
import { payoutProcessedMessage } from '../../src/domain/messages/catalogue/payout-processed.ts';
import { payoutScheduledMessage } from '../../src/domain/messages/catalogue/payout-scheduled.ts';
import { inspectionMessage, inspectionResultMessage } from '../../src/domain/messages/catalogue/property-inspection.ts';
import { propertyReadyMessages } from '../../src/domain/messages/catalogue/property-ready.ts';
import { refundAffectsPayoutMessage } from '../../src/domain/messages/catalogue/refund-affects-payout.ts';
import { refundProcessedMessage } from '../../src/domain/messages/catalogue/refund-processed.ts';
import { cancelledMessages } from '../../src/domain/messages/catalogue/reservation-cancelled.ts';
import { confirmationMessages } from '../../src/domain/messages/catalogue/reservation-confirmed.ts';
import { rollbackMessages } from '../../src/domain/messages/catalogue/reservation-rolled-back.ts';
import { secondFactorPausedMessage } from '../../src/domain/messages/catalogue/second-factor-paused.ts';
import { signInLinkMessage } from '../../src/domain/messages/catalogue/sign-in-link.ts';
import { taskAssignedMessage } from '../../src/domain/messages/catalogue/task-assigned.ts';
import { taskChangedMessage } from '../../src/domain/messages/catalogue/task-changed.ts';
import { taskCompletedMessages } from '../../src/domain/messages/catalogue/task-completed.ts';
import { taskStayCancelledMessage } from '../../src/domain/messages/catalogue/task-stay-cancelled.ts';
import { taskWithdrawnMessage } from '../../src/domain/messages/catalogue/task-withdrawn.ts';
import { thankYouMessages } from '../../src/domain/messages/catalogue/thank-you.ts';
import { welcomeMessages } from '../../src/domain/messages/catalogue/welcome.ts';
import { readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { ALERT_SUBJECTS, raiseAlert } from '../../src/domain/notifications/alerts.ts';
import { enqueueInTransaction, type OrderedText } from '../../src/domain/notifications/enqueue.ts';
import { createTextSeal } from '../../src/kernel/text-seal.ts';
import { JWT } from '../http/harness.ts';
import { createTestDatabase } from '../setup/database.ts';
import { deliverAll } from '../setup/deliver.ts';

/**
 * Every message of the catalogue, made by the function that makes it in the product, about what its callers make it about: a stay,
 * a task, or nothing at all. What a text cannot do without must be there.
 */

const OWNER = 'owner-1';
const AGENT = 'agent-1';
const STAY = { guestId: 'guest-1', guestHasPhone: true, ownerId: OWNER };
const MONEY = { amountMinor: 100_000, currency: 'AED' };
const LATER = new Date(Date.now() + 3_600_000);
const ALL: readonly Message[] = MESSAGES;
/** Somebody is to do it, somebody has, and the owner is asked first. */
const TASKS = ['task-ordered', 'task-offered', 'task-done', 'task-asked'];

const account = (links: object) => ({ id: 'account-1', staff_id: null, owner_id: null, guest_id: null, ...links });
const ACCOUNTS = [{ guest_id: 'guest-1' }, { owner_id: OWNER }, { staff_id: AGENT }, {}].map(account);
const seal = (text: string): string => createTextSeal(JWT.keys).seal('account-1', text);
const link = (of: AccountLink['account']): AccountLink => ({
  account: of,
  sealedLink: seal('x'.repeat(43)),
  expiresAt: LATER,
});

/** Ordered ahead by the plan of reminders, which has no function for one. */
const planned = ALL.filter(({ isPlanned }) => isPlanned).flatMap(({ event, texts, to }) =>
  Object.keys(texts).flatMap((template) =>
    (to.GUEST?.channels ?? []).map(
      (channel): OrderedText => ({ event, template, channel, recipientType: 'GUEST', recipientId: 'guest-1' }),
    ),
  ),
);
const ABOUT_A_STAY: readonly OrderedText[] = [
  ...confirmationMessages(STAY),
  ...rollbackMessages(STAY),
  ...paymentConfirmedMessages(STAY, { ...MONEY, outstandingMinor: 0, receiptId: 't-1' }),
  ...paymentConfirmedMessages(STAY, { ...MONEY, outstandingMinor: 5, receiptId: 't-1' }),
  paymentFailedMessage(STAY, { ...MONEY, code: 'CARD_DECLINED' }),
  payoutScheduledMessage(OWNER, { ...MONEY, scheduledFor: LATER.toISOString() }),
  ...planned,
  ...welcomeMessages(STAY, false),
  ...thankYouMessages(STAY),
  ...cancelledMessages(STAY, { ...MONEY, excessMinor: 0, percent: 25 }),
  ...cancelledMessages(STAY, { ...MONEY, excessMinor: 5, percent: 25 }),
  ...cancelledMessages(STAY, { ...MONEY, amountMinor: 0, excessMinor: 0, percent: 0 }),
  refundProcessedMessage(STAY, MONEY),
  refundAffectsPayoutMessage(OWNER, MONEY),
  alerts.amenitiesAlertMessage({ sagaName: 'checkOut', step: 's', code: 'C', sagaId: 'saga-1' }),
  alerts.furtherAmenitiesAlertMessage({ sagaName: 'checkOut', step: 's', code: 'C', sagaId: 'saga-1' }),
  alerts.accessAlertMessage({ sagaName: 'changeAccess', step: 's', code: 'C', sagaId: 'saga-1' }),
];
/** Whatever the task is like. */
const aboutATask = (id: string): readonly OrderedText[] => [
  inspectionMessage(OWNER, id),
  inspectionResultMessage(OWNER, id, 'PASSED'),
  repairs.maintenanceRequiredMessage(OWNER, id),
  repairs.maintenanceOrderedMessage(OWNER, id),
  repairs.maintenancePlannedMessage(OWNER, id),
  maintenanceDoneMessage(OWNER, id, false),
  maintenanceDoneMessage(OWNER, id, true),
  { ...taskAssignedMessage(AGENT), taskId: id },
  taskWithdrawnMessage(AGENT, id),
  ...taskCompletedMessages([AGENT], id),
  ...taskCompletedMessages([], id),
  alerts.repairDecidedMessage(id, 'APPROVED'),
  alerts.repairDecidedMessage(id, 'DECLINED'),
  alerts.emergencyAlertMessage(id, 0),
  alerts.emergencyAlertMessage(id, 30),
];
/** About a task with what the caller has just written down of it. */
const ABOUT_ITS_TASK: readonly OrderedText[] = [
  inspectionResultMessage(OWNER, 'task-done', 'FAILED'),
  chargedMessage(OWNER, 'task-done'),
  ...alerts.maintenanceAlertMessages('task-done'),
  repairs.repairApprovalMessage(OWNER, 'task-asked'),
  { ...taskAssignedMessage(AGENT, { displaces: true }), taskId: 'task-ordered' },
  taskChangedMessage(AGENT, 'task-moved', new Date()),
];
const aboutAStaysTask = (id: string): readonly OrderedText[] => [
  taskStayCancelledMessage(AGENT, id),
  ...[[AGENT], []].flatMap((staff) => [...checkInPromptMessages(staff, id), ...checkOutPromptMessages(staff, id)]),
  ...propertyReadyMessages(AGENT, id),
  ...propertyReadyMessages(null, id),
];
const ASKERS = [
  { type: 'GUEST', id: 'guest-1' },
  { type: 'STAFF', id: AGENT },
  { type: 'OFFICE', id: 'account-1', account: account({}) },
  { type: 'OPS', id: 'ops' },
] as const;
const decided = (status: 'APPROVED' | 'DECLINED', money: typeof MONEY | null) =>
  ASKERS.map((asker) => approvalDecidedMessage(asker, { approvalId: 'a-1', kind: 'OWNER_CHARGE', status, money }));
const ABOUT_NOTHING: readonly OrderedText[] = [
  payoutFailedMessage(OWNER, MONEY),
  payoutProcessedMessage(OWNER, { ...MONEY, sagaId: 'saga-1' }),
  payoutAccountChangedMessage(OWNER, LATER.toISOString(), '2'),
  ...decided('APPROVED', MONEY),
  ...decided('DECLINED', null),
  ...[MONEY, null].flatMap((money) =>
    ASKERS.map((to) =>
      approvedButUndoneMessage(to, { approvalId: 'a-2', kind: 'GOODWILL', code: 'NOTHING_TO_REFUND', money }),
    ),
  ),
  payoutAccountRefusedMessage(OWNER, true, '3'),
  payoutAccountRefusedMessage(OWNER, false, '4'),
  ...ACCOUNTS.flatMap((of) => [
    signInLinkMessage(link(of)),
    accountInvitedMessage(link(of)),
    secondFactorPausedMessage(of),
    ...accountEmailChangedMessages(of, { former: seal('old@example.com'), current: seal('new@example.com') }),
  ]),
];

/** Sent in the place of one that was ordered, or ordered with a door's code, which a message waits for; or of rows of before. */
const INSTEAD = [
  'reservation-confirmed-details.guest@1',
  'task-changed-offer.staff@1',
  'task-digest.staff@1',
  'task-offered-again.staff@1',
  'task-offered-instead.staff@1',
  'task-offered.staff@1',
  'welcome.guest@1',
];

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'every-message-test' }));
  await db.insertInto('owner').values({ id: OWNER, name: 'Olga', email: 'olga@example.com' }).execute();
  const guest = { name: 'John', email: 'john@example.com', phone: '+971501234567' };
  await db
    .insertInto('guest')
    .values({ id: 'guest-1', ...guest })
    .execute();
  await db.insertInto('staff').values({ id: AGENT, name: 'Amina', email: 'a@example.com', role: 'AGENT' }).execute();
  await db
    .insertInto('account')
    .values({ id: 'account-1', name: 'Ada', email: 'ada@example.com', role: 'ADMIN' })
    .execute();
  await db.insertInto('property').values({ id: 'property-1', name: 'Marina 12', owner_id: OWNER }).execute();
  await sql`UPDATE message_rule SET quiet_channels = '{}'`.execute(db);
  await seedStays();
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

const STATES = ['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED'] as const;
async function seedStays(): Promise<void> {
  for (const [n, status] of STATES.entries()) {
    await db
      .insertInto('reservation')
      .values({
        id: `stay-${status}`,
        property_id: 'property-1',
        guest_id: 'guest-1',
        check_in_date: `2027-0${n + 1}-01`,
        check_out_date: `2027-0${n + 1}-04`,
        total_minor: 100_000,
        currency: 'AED',
        distribution_version: 1,
        status,
        created_by: 'test',
      })
      .execute();
  }
  await sql`UPDATE reservation SET reminded_version = version`.execute(db);
  const task = {
    property_id: 'property-1',
    type: 'MAINTENANCE',
    title: 'Mend the window',
    assignee_id: AGENT,
  } as const;
  const cost = { amountMinor: 12_050, currency: 'AED', chargeOwner: true };
  const completion = { findings: [{ description: 'Window broken', severity: 'SEVERE' }], cost };
  const done = { status: 'COMPLETED', completed_at: new Date(), completion: JSON.stringify(completion) } as const;
  const asked = { assignee_id: null, approval: 'PENDING', estimate_minor: 75_000, estimate_currency: 'AED' } as const;
  const rows = [
    { ...task, id: 'task-ordered', status: 'ASSIGNED' },
    { ...task, id: 'task-moved', status: 'ASSIGNED' },
    { ...task, id: 'task-displaced', status: 'ASSIGNED', displaced_by: 'task-ordered' },
    { ...task, id: 'task-offered', status: 'ASSIGNED', accept_by: LATER },
    { ...task, ...done, id: 'task-done' },
    { ...task, ...asked, id: 'task-asked', status: 'UNASSIGNED' },
  ] as const;
  const hours = (n: number) => ({
    scheduled_at: new Date(LATER.getTime() + n * 3_600_000),
    ends_at: new Date(LATER.getTime() + (n + 1) * 3_600_000),
  });
  for (const [n, row] of rows.entries())
    await db
      .insertInto('task')
      .values({ ...row, ...hours(n), occurrence: row.id })
      .execute();
  await db
    .insertInto('repair_approval')
    .values({
      task_id: 'task-asked',
      owner_id: OWNER,
      token: 'token-1',
      property_id: task.property_id,
      title: task.title,
    })
    .execute();
  const money = { amount_minor: 100_000, outstanding_minor: 100_000, currency: 'AED', status: 'PENDING' } as const;
  await db
    .insertInto('transaction')
    .values([
      { ...money, id: 'due', type: 'GUEST_PAYMENT', reservation_id: 'stay-CONFIRMED', effect_key: 'due' },
      { ...money, id: 'cost', type: 'ADJUSTMENT', owner_id: OWNER, effect_key: 'task-done-cost' },
    ])
    .execute();
}

/** Orders each of them, in a transaction of its own as far as keys go. */
async function order(name: string, messages: readonly OrderedText[], reservationId: string | null): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (const [n, message] of messages.entries())
      await enqueueInTransaction(tx, `${name}-${n}`, [message], { sagaId: null, reservationId });
  });
}
const told = () =>
  db
    .selectFrom('notification')
    .select(['event', 'template', 'channel', 'recipient_type', 'status', 'reason', 'reservation_id'])
    .orderBy('id')
    .execute();

describe('every message of the catalogue', () => {
  beforeAll(async () => {
    for (const status of STATES) {
      await order(status, ABOUT_A_STAY, `stay-${status}`);
      for (const id of TASKS) await order(`${status}-${id}`, aboutAStaysTask(id), `stay-${status}`);
    }
    for (const id of TASKS) await order(id, aboutATask(id), null);
    await order('its', ABOUT_ITS_TASK, null);
    await order('nothing', ABOUT_NOTHING, null);
    await db.transaction().execute(async (tx) => {
      for (const about of ALERT_SUBJECTS)
        await raiseAlert(tx, { about, id: 'x-1', source: 'notifications', step: 'step', code: 'STUCK', group: about });
    });
    await deliverAll(db);
  }, 120_000);

  it('lacks nothing that its text cannot do without', async () => {
    const rows = await told();
    const lacking = rows.filter(
      ({ status, reason }) => status === 'BLOCKED' || /^(?:MISSING|WAITING|RENDER|FACTS)/.test(reason ?? ''),
    );
    expect(lacking.map(({ template, reservation_id, reason }) => `${template} ${reservation_id}: ${reason}`)).toEqual(
      [],
    );
  });

  it('tells an owner of another account for payouts, on the clock of the agency', async () => {
    const mail = await db
      .selectFrom('dev_mail')
      .select('id')
      .where('subject', '=', 'Another account for your payouts')
      .execute();
    const [{ id } = { id: 0 }] = mail;
    expect([mail.length, (await readDevMail(db, id))?.body]).toEqual([1, expect.stringContaining('(Asia/Dubai)')]);
  });

  it('goes out to each of its recipients over each channel, in some state of what it is about', async () => {
    const sent = new Set(
      (await told())
        .filter(({ status }) => status === 'SENT')
        .map((row) => `${row.event} ${row.recipient_type} ${row.channel}`),
    );
    const owed = ALL.flatMap(({ event, to }) =>
      Object.entries(to).flatMap(([type, { channels }]) => channels.map((channel) => `${event} ${type} ${channel}`)),
    );
    expect(owed.filter((one) => !sent.has(one))).toEqual([]);
  });

  it('is made here in every text that anything orders', async () => {
    const made = new Set((await told()).map(({ template }) => template));
    const rest = ALL.flatMap(({ texts }) => Object.keys(texts)).filter((key) => !made.has(key));
    expect(rest.toSorted()).toEqual(INSTEAD.toSorted());
  });
});
