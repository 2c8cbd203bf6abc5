import { type DemoDay, planDay, type Visit } from '../src/demo/day.ts';
import { DAY_ZONES, type DayZones } from '../src/demo/places.ts';
import type { Role } from '../src/http/auth.ts';
import { type Actor, type Client, createClient, NotDone, type Step } from './demo-client.ts';

/**
 * Carries out the demo's day through the HTTP API, as its people would: real sagas, so the books, the tasks, the messages and
 * the audit trail are what they would be. Every request has an Idempotency-Key of its own, so that a start after one that was
 * cut short goes on where that one ended.
 */

export interface DemoDayOptions {
  /** Where the API answers, without a slash at its end. */
  readonly api: string;
  readonly tokenFor: (role: Role, sub: string) => Promise<string>;
  readonly say: (line: string) => void;
  /** The start is being ended. */
  readonly signal: AbortSignal;
  readonly zones?: DayZones;
  readonly now?: () => Date;
  /** After this long the demo stops; the next start goes on where it stopped. */
  readonly withinMs?: number;
}

const ADMIN: Actor = { role: 'ADMIN', sub: 'admin-1' };
const FINANCE: Actor = { role: 'FINANCE', sub: 'finance-1' };
const CLEANER: Actor = { role: 'CLEANER', sub: 'cleaner-2' };
const agent = (sub: 'agent-1' | 'agent-2'): Actor => ({ role: 'AGENT', sub });

const WITHIN_MS = 45_000;
/** A day is played when it begins; what was left of it is of no use on another one. */
const PLAYED_WITHIN_MS = 20 * 60 * 60 * 1000;
/** Made last of all, so that a day that has it is complete. */
const LAST_TASK = 'task-air-conditioning';

/** When the day was planned that is still to be played; null: there is none, or it has been played. */
export async function dayToPlay(options: DemoDayOptions): Promise<Date | null> {
  const client = createClient({ ...options, withinMs: WITHIN_MS });
  const stay = await client.find<{ readonly createdAt: string }>(ADMIN, '/reservations/reservation-arriving');
  if (stay === null) return null;
  const planned = new Date(stay.createdAt);
  const now = options.now?.() ?? new Date();
  if (now.getTime() - planned.getTime() > PLAYED_WITHIN_MS) return null;
  return (await client.find(ADMIN, `/tasks/${LAST_TASK}`)) === null ? planned : null;
}

/** Says in one line what was refused, and throws nothing: a demo that is less lively is no reason not to start. */
export async function playDay(options: DemoDayOptions, planned: Date): Promise<void> {
  const client = createClient({ ...options, withinMs: options.withinMs ?? WITHIN_MS });
  const day = planDay(planned, options.zones ?? DAY_ZONES);
  let isCut = false;
  const play = async (chain: (client: Client, day: DemoDay) => Promise<void>): Promise<void> => {
    try {
      await chain(client, day);
    } catch (error) {
      if (options.signal.aborted) isCut = true;
      else if (error instanceof NotDone) {
        isCut ||= error.isForNow;
        options.say(`  left out: ${error.message}`);
      } else throw error;
    }
  };
  // First of all, so that its cleaner is free.
  await play(arriving);
  await Promise.all([leaving, turnover, inHouse, nextWeek, waiting, cancelled, repairForOwner].map(play));
  if (!isCut) await play(repairToday);
}

const stepsOf = (client: Client, who: Actor, id: string) => ({
  confirm: () =>
    client.send({ key: `${id}-confirm`, who, path: `/reservations/${id}/confirm`, body: { confirmedBy: who.sub } }),
  checkIn: (actualTime: string) =>
    client.send({
      key: `${id}-check-in`,
      who,
      path: `/reservations/${id}/check-in`,
      body: { actualTime, notes: 'Passport seen' },
    }),
  checkOut: (actualTime: string) =>
    client.send({
      key: `${id}-check-out`,
      who,
      path: `/reservations/${id}/check-out`,
      body: { actualTime, notes: 'Keys returned' },
    }),
  pay: (amount: number, currency: 'AED' | 'EUR' = 'AED', gatewayReference = `ref-demo-${id}`) =>
    client.send({
      key: `${id}-pay`,
      who,
      path: `/reservations/${id}/payment`,
      body: { amount, currency, paymentMethod: 'Credit Card', gatewayId: 'gateway-123', gatewayReference },
    }),
});

const cleaningOf = async (client: Client, who: Actor, id: string): Promise<string> => {
  const stay = await client.find<{ readonly tasks: readonly { readonly id: string; readonly occurrence: string }[] }>(
    who,
    `/reservations/${id}?include=tasks`,
  );
  const cleaning = stay?.tasks.find(({ occurrence }) => occurrence === 'PRE_ARRIVAL');
  if (cleaning === undefined) throw new NotDone(`${id} has no cleaning before the arrival`);
  return cleaning.id;
};

/** Paid, and expected today; the cleaner whose token is printed makes it ready. */
async function arriving(client: Client, day: DemoDay): Promise<void> {
  const who = agent('agent-1');
  const stay = stepsOf(client, who, 'reservation-arriving');
  await stay.confirm();
  await client.send({
    key: 'reservation-arriving-cleaning',
    who,
    method: 'PATCH',
    path: `/tasks/${await cleaningOf(client, who, 'reservation-arriving')}`,
    body: { assigneeId: 'cleaner-1', scheduledDate: day.cleaningAt },
  });
  await stay.pay(3_200);
}

/** A guest who came some days ago to rooms that had been cleaned. */
async function moveIn(
  client: Client,
  who: Actor,
  id: string,
  at: { readonly cleaned: string; readonly arrived: string },
) {
  const stay = stepsOf(client, who, id);
  await stay.confirm();
  const task = await cleaningOf(client, who, id);
  const assigned: Step = {
    key: `${id}-cleaning`,
    who,
    method: 'PATCH',
    path: `/tasks/${task}`,
    body: { assigneeId: CLEANER.sub, scheduledDate: at.cleaned },
  };
  await client.send(assigned);
  const checklist = [
    { id: 'beds', done: true },
    { id: 'bathroom', done: true },
  ];
  const body = { minutes: 105, notes: 'All clean', ...(id === 'reservation-turnover-out' ? { checklist } : {}) };
  await client.send({ key: `${id}-cleaned`, who: CLEANER, path: `/tasks/${task}/complete`, body });
  await stay.checkIn(at.arrived);
  return stay;
}

const visitOf = ({ cleanedAt, arrivedAt }: DemoDay, visit: Visit) => ({
  cleaned: cleanedAt[visit],
  arrived: arrivedAt[visit],
});

async function leaving(client: Client, day: DemoDay): Promise<void> {
  const stay = await moveIn(client, agent('agent-1'), 'reservation-leaving', visitOf(day, 'leaving'));
  await stay.pay(1_800);
}

/** One guest has left, the next comes today: the cleaning in between is the cleaning of both. */
async function turnover(client: Client, day: DemoDay): Promise<void> {
  const who = agent('agent-1');
  const before = await moveIn(client, who, 'reservation-turnover-out', visitOf(day, 'turnover'));
  await before.pay(2_400);
  const next = stepsOf(client, who, 'reservation-turnover-in');
  await next.confirm();
  await next.pay(500);
  await before.checkOut(day.leftAt);
}

async function inHouse(client: Client, day: DemoDay): Promise<void> {
  const stay = await moveIn(client, agent('agent-2'), 'reservation-in-house', visitOf(day, 'inHouse'));
  await stay.pay(1_250, 'EUR');
}

/** Confirmed, and nothing paid yet. */
async function nextWeek(client: Client): Promise<void> {
  await stepsOf(client, agent('agent-1'), 'reservation-next-week').confirm();
}

/** More than the policy gives back, and more than one person may decide: it waits for a second one. */
async function waiting(client: Client): Promise<void> {
  const id = 'reservation-waiting';
  const stay = stepsOf(client, agent('agent-1'), id);
  await stay.confirm();
  await stay.pay(6_400);
  await client.send({
    key: `${id}-cancel`,
    who: FINANCE,
    path: `/reservations/${id}/cancel`,
    body: { reason: 'ILLNESS', refundPercentOverride: 100, notes: 'A letter of the hospital was sent by mail' },
    mayWait: true,
  });
}

/** The bank refuses the refund for good, so somebody has to send the money another way. */
async function cancelled(client: Client): Promise<void> {
  const id = 'reservation-cancelled';
  const stay = stepsOf(client, agent('agent-1'), id);
  await stay.confirm();
  await stay.pay(900, 'AED', `ref-refund-refused-demo-${id}`);
  await client.send({
    key: `${id}-cancel`,
    who: agent('agent-1'),
    path: `/reservations/${id}/cancel`,
    body: { reason: 'GUEST_REQUEST' },
  });
}

async function repairForOwner(client: Client, day: DemoDay): Promise<void> {
  const body = {
    id: 'task-boiler',
    type: 'MAINTENANCE',
    title: 'New boiler',
    description: 'The old one leaks; its tank has rusted through.',
    propertyId: 'property-3',
    scheduledDate: day.boilerAt,
    durationMinutes: 180,
    estimate: { amount: 1_750, currency: 'AED' },
  };
  await client.send({ key: 'task-boiler', who: agent('agent-1'), path: '/tasks', body });
}

async function repairToday(client: Client, day: DemoDay): Promise<void> {
  const body = {
    id: LAST_TASK,
    type: 'MAINTENANCE',
    title: 'Air conditioning drips',
    propertyId: 'property-5',
    scheduledDate: day.repairAt,
  };
  await client.send({ key: LAST_TASK, who: agent('agent-1'), path: '/tasks', body });
}
