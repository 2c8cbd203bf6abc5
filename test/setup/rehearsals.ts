import { expect } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import type { Ports } from '../../src/domain/ports.ts';
import {
  type Beginning,
  type ChangeRows,
  readBeginning,
  readChangeRows,
  readTouched,
  type Touched,
} from '../../src/domain/stays/change-rows.ts';
import { type Changes, changesBetween, readStanding } from '../../src/domain/stays/changes.ts';
import { PUBLIC_URL } from '../http/harness.ts';

/** What an act has changed, found out like the plan of its dry run, from what was there before it. */

export const PREVIEW = { publicUrl: PUBLIC_URL, agencyTimeZone: 'Asia/Dubai' };

export interface Eve {
  readonly beginning: Beginning;
  readonly rows: ChangeRows;
}

/** Everything as it stands, of a small database. */
export async function eveOf(db: Db): Promise<Eve> {
  const idsOf = async (table: 'reservation' | 'property' | 'task' | 'transaction' | 'payment' | 'notification') =>
    (await db.selectFrom(table).select('id').execute()).map(({ id }) => id);
  const reservation = await idsOf('reservation');
  const everything: Touched = {
    sagaIds: [],
    ids: {
      reservation,
      property: await idsOf('property'),
      task: await idsOf('task'),
      transaction: await idsOf('transaction'),
      payment: await idsOf('payment'),
      access: reservation,
      message: await idsOf('notification'),
    },
  };
  return { beginning: await readBeginning(db), rows: await readChangeRows(db, everything) };
}

/** What has changed since, by whomever. */
export async function changedSince(db: Db, eve: Eve, subjectId: string): Promise<Changes> {
  const sagas = await db.selectFrom('saga').select('id').where('requested_at', '>=', eve.beginning.at).execute();
  const about = { sagaIds: sagas.map(({ id }) => id), subjectId };
  const touched = await readTouched(db, eve.beginning, 'anybody', about);
  return changesBetween(eve.rows, await readStanding(db, touched, PREVIEW));
}

const AT_ONCE_MS = 60_000;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

/** The two are the same. An act comes a moment after its dry run, and so do the times that are counted from it. */
export function expectSame(plan: unknown, act: unknown, about: string): void {
  expect(alike(plan, act), about).toEqual(plan);
}

function alike(plan: unknown, act: unknown): unknown {
  if (typeof plan === 'string' && typeof act === 'string' && INSTANT.test(plan) && INSTANT.test(act))
    return Math.abs(Date.parse(plan) - Date.parse(act)) < AT_ONCE_MS ? plan : act;
  if (Array.isArray(plan) && Array.isArray(act)) return act.map((one, at) => alike(plan[at], one));
  if (plan instanceof Object && act instanceof Object)
    return Object.fromEntries(
      Object.entries(act).map(([name, value]) => [name, alike(Reflect.get(plan, name), value)]),
    );
  return act;
}

/** The same ports, which count how often another system is asked. */
export function countingPorts(real: Ports): { readonly ports: Ports; readonly asked: () => number } {
  let asked = 0;
  const QUIET = new Set<string | symbol>(['feeOf', 'then']);
  const counted = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name);
        if (typeof value !== 'function' || QUIET.has(name)) return value;
        return (...request: readonly unknown[]): unknown => {
          asked += 1;
          return Reflect.apply(value, of, request);
        };
      },
    });
  return {
    ports: {
      amenities: counted(real.amenities),
      gatewayIds: real.gatewayIds,
      gateway: (id) => counted(real.gateway(id)),
      payouts: (account) => counted(real.payouts(account)),
      amountStep: (at, currency) => real.amountStep(at, currency),
    },
    asked: () => asked,
  };
}
