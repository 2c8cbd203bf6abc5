import { z } from 'zod';
import type { DisputedCharge, RecordedDispute } from '../../domain/ports.ts';
import type { Clock } from '../../kernel/clock.ts';
import { type Afterwards, plansOf } from './afterwards.ts';
import type { Query, Row } from './file.ts';

/** The sandbox provider's own record: every request, every effect, and which keys are settled. */
export const SCHEMA_VERSION = 1;
export const SCHEMA = `
CREATE TABLE request (
  idem_key TEXT PRIMARY KEY, body TEXT NOT NULL, calls INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
  refusal TEXT                                            -- the final answer, if it was a no
) WITHOUT ROWID;
CREATE TABLE effect (
  n INTEGER PRIMARY KEY, idem_key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL CHECK (kind IN ('CHARGE','REFUND','VOID','PAYOUT')),
  gateway_id TEXT NOT NULL, reference TEXT NOT NULL, provider_id TEXT NOT NULL UNIQUE, charge_id TEXT,
  amount INTEGER NOT NULL CHECK ((amount > 0) = (kind = 'CHARGE')), fee INTEGER NOT NULL, currency TEXT NOT NULL, at INTEGER NOT NULL,
  CHECK ((charge_id IS NULL) = (kind IN ('CHARGE','PAYOUT')))
);
CREATE INDEX effect_by_reference ON effect (gateway_id, reference) WHERE kind = 'CHARGE';
CREATE INDEX effect_by_charge ON effect (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX effect_by_time ON effect (gateway_id, at);
CREATE TRIGGER effect_kept BEFORE UPDATE ON effect BEGIN SELECT RAISE(ABORT, 'effects are only added'); END;
CREATE TRIGGER effect_held BEFORE DELETE ON effect BEGIN SELECT RAISE(ABORT, 'effects are only added'); END;
CREATE TABLE reference_call (gateway_id TEXT, reference TEXT, calls INTEGER NOT NULL, PRIMARY KEY (gateway_id, reference)) WITHOUT ROWID;
CREATE TABLE settled (idem_key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE later (idem_key TEXT PRIMARY KEY, effect TEXT NOT NULL, due_at INTEGER NOT NULL) WITHOUT ROWID;
`;
/** Tables that later versions have added; a file of an earlier one gets them when it is opened. */
export const ADDED = `
CREATE TABLE IF NOT EXISTS dispute (
  provider_id TEXT PRIMARY KEY, charge_id TEXT NOT NULL, gateway_id TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
  status TEXT NOT NULL, withdrawn INTEGER NOT NULL, fee INTEGER NOT NULL, reason TEXT NOT NULL, respond_by INTEGER NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS planned (n INTEGER PRIMARY KEY, gateway_id TEXT NOT NULL, reference TEXT NOT NULL, what TEXT NOT NULL, due_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS came_back (provider_id TEXT PRIMARY KEY, reason TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
`;

const Effect = z.object({
  /** The idempotency key: one effect each. */
  key: z.string(),
  kind: z.enum(['CHARGE', 'REFUND', 'VOID', 'PAYOUT']),
  gatewayId: z.string(),
  reference: z.string(),
  providerId: z.string(),
  /** Of the charge that a refund or void is of. */
  chargeId: z.string().nullable(),
  /** Signed: a charge is above zero, all else below. */
  amountMinor: z.int(),
  feeMinor: z.int(),
  currency: z.string(),
});
export type Effect = Readonly<z.output<typeof Effect>>;
export interface RecordedEffect extends Effect {
  readonly at: Date;
}
export interface RecordedRequest {
  /** Of the first of its calls. */
  readonly at: Date;
  readonly calls: number;
  readonly refusal: string | null;
}

const What = z.enum(['refund', 'dispute', 'win', 'lose']);
/** An act at the provider itself, which a reference has asked for. */
export interface PlannedAct {
  readonly gatewayId: string;
  readonly reference: string;
  readonly what: Afterwards;
}

/** Within one transaction. */
export interface SandboxRecord {
  /** Remembers a call; null when the key was used with another body. */
  request(key: string, body: string): RecordedRequest | null;
  /** The final answer to a key, for its repeats. */
  refuse(key: string, reason: string): void;
  /** Counts a call about a reference; the first is 1. */
  countCall(gatewayId: string, reference: string): number;
  effectOf(key: string): RecordedEffect | null;
  /** The charge that holds a reference: not voided. */
  chargeOf(gatewayId: string, reference: string): RecordedEffect | null;
  /** The rest of a charge after its refunds, its void and open disputes. */
  leftOf(charge: Effect): { readonly amountMinor: number; readonly feeMinor: number };
  isSettled(key: string): boolean;
  /** From now on nothing can come of this key. */
  settle(key: string): void;
  act(effect: Effect): RecordedEffect;
  /** Takes effect at `dueAt`, unless its key was acted on or settled before. */
  actLater(effect: Effect, dueAt: Date): void;
  actOnDue(): void;
  /** The acts that references had asked for and that are due now, oldest first; each is answered once. */
  takePlanned(): readonly PlannedAct[];
  /** The refunds of a charge, oldest first, each with why it came back, if it did. */
  refundsOf(chargeId: string): readonly (RecordedEffect & { readonly cameBack: string | null })[];
  /** Of a charge, oldest first. */
  disputesOf(chargeId: string): readonly RecordedDispute[];
  disputedIn(gatewayId: string, from: Date, to: Date, limit: number): readonly DisputedCharge[];
  /** Opens it, or changes its status. */
  putDispute(dispute: RecordedDispute & { readonly gatewayId: string; readonly chargeId: string }): void;
  disputeBy(providerId: string): (RecordedDispute & { readonly gatewayId: string; readonly chargeId: string }) | null;
  /** The money of a refund is with the provider again. */
  bringBack(providerId: string, reason: string): void;
  /** Oldest first, without refunds that came back: they never left. */
  effectsOf(
    gatewayId: string,
    from: Date,
    to: Date,
    limit: number,
  ): readonly (RecordedEffect & { readonly failed: boolean })[];
}

/** The record in an open file; `query` prepares a statement of it. Each call belongs into a transaction of the caller. */
export function createRecord(query: (text: string) => Query, clock: Clock): SandboxRecord {
  const sql = statements(query);
  const nowMs = (): number => clock.now().getTime();
  return {
    ...requestsIn(sql, nowMs),
    ...effectsIn(sql, nowMs),
    ...refundsIn(sql, nowMs),
    ...disputesIn(sql, nowMs),
    takePlanned: () =>
      [...sql.takePlanned(nowMs())]
        .sort((a, b) => Number(a['n']) - Number(b['n']))
        .map((row) => ({
          gatewayId: String(row['gateway_id']),
          reference: String(row['reference']),
          what: What.parse(row['what']),
        })),
  };
}

type Statements = ReturnType<typeof statements>;
type Part<Name extends keyof SandboxRecord> = Pick<SandboxRecord, Name>;

const requestsIn = (
  sql: Statements,
  nowMs: () => number,
): Part<'request' | 'refuse' | 'countCall' | 'isSettled' | 'settle'> => ({
  request(key, body) {
    const at = nowMs();
    const [row] = sql.request(key, body, at, at);
    if (!row || row['body'] !== body) return null;
    const refusal = row['refusal'];
    return {
      at: new Date(Number(row['first_at'])),
      calls: Number(row['calls']),
      refusal: refusal === null ? null : String(refusal),
    };
  },
  refuse: (key, reason) => void sql.refuse(reason, key),
  countCall: (gatewayId, reference) => Number(sql.countCall(gatewayId, reference)[0]?.['calls']),
  isSettled: (key) => sql.isSettled(key).length > 0,
  settle(key) {
    sql.settle(key);
    sql.forget(key);
  },
});

function effectsIn(
  sql: Statements,
  nowMs: () => number,
): Part<'effectOf' | 'chargeOf' | 'leftOf' | 'act' | 'actLater' | 'actOnDue' | 'effectsOf'> {
  const chargeOf = (gatewayId: string, reference: string) => oneOf(sql.charge(gatewayId, reference));
  function act(effect: Effect): RecordedEffect {
    const at = nowMs();
    const { key, kind, gatewayId, reference, providerId, chargeId, amountMinor, feeMinor, currency } = effect;
    sql.act(key, kind, gatewayId, reference, providerId, chargeId, amountMinor, feeMinor, currency, at);
    sql.forget(key);
    if (kind === 'CHARGE') {
      for (const { what, afterMs } of plansOf(reference)) sql.plan(gatewayId, reference, what, at + afterMs);
    }
    return { ...effect, at: new Date(at) };
  }
  return {
    effectOf: (key) => oneOf(sql.byKey(key)),
    chargeOf,
    leftOf({ providerId, amountMinor, feeMinor }) {
      const [gone] = sql.gone(providerId);
      const [disputed] = sql.disputed(providerId);
      const takenMinor = Number(disputed?.['amount']);
      return {
        amountMinor: Math.max(0, amountMinor + Number(gone?.['amount']) - takenMinor),
        feeMinor: feeMinor + Number(gone?.['fee']),
      };
    },
    act,
    actLater: (effect, dueAt) => void sql.actLater(effect.key, JSON.stringify(effect), dueAt.getTime()),
    actOnDue() {
      for (const row of sql.due(nowMs())) {
        const effect = Effect.parse(JSON.parse(String(row['effect'])));
        // Another key may have taken the reference meanwhile: nobody can be charged twice for it.
        if (chargeOf(effect.gatewayId, effect.reference) === null) act(effect);
        else sql.forget(effect.key);
      }
    },
    effectsOf: (gatewayId, from, to, limit) =>
      sql
        .inTime(gatewayId, from.getTime(), to.getTime(), limit)
        .map((row) => ({ ...effectFrom(row), failed: row['failed'] === 1 })),
  };
}

const refundsIn = (sql: Statements, nowMs: () => number): Part<'refundsOf' | 'bringBack'> => ({
  refundsOf: (chargeId) =>
    sql.refunds(chargeId).map((row) => ({
      ...effectFrom(row),
      cameBack: row['reason'] === null ? null : String(row['reason']),
    })),
  bringBack: (providerId, reason) => void sql.bringBack(providerId, reason, nowMs()),
});

const disputesIn = (
  sql: Statements,
  nowMs: () => number,
): Part<'disputesOf' | 'disputedIn' | 'putDispute' | 'disputeBy'> => ({
  disputesOf: (chargeId) => sql.disputes(chargeId).map(disputeFrom),
  disputedIn: (gatewayId, from, to, limit) =>
    sql
      .disputedIn(gatewayId, from.getTime(), to.getTime(), limit)
      .map((row) => ({ providerId: String(row['provider_id']), chargeId: String(row['charge_id']) })),
  putDispute(dispute) {
    const { providerId, chargeId, gatewayId, amountMinor, currency, status, feeMinor } = dispute;
    const until = dispute.respondBy?.getTime() ?? 0;
    const taken = dispute.withdrawn ? 1 : 0;
    const reason = dispute.reason ?? 'GENERAL';
    sql.putDispute(
      providerId,
      chargeId,
      gatewayId,
      amountMinor,
      currency,
      status,
      taken,
      feeMinor,
      reason,
      until,
      nowMs(),
    );
  },
  disputeBy(providerId) {
    const [row] = sql.disputeBy(providerId);
    if (row === undefined) return null;
    return { ...disputeFrom(row), gatewayId: String(row['gateway_id']), chargeId: String(row['charge_id']) };
  },
});

const statements = (query: (text: string) => Query) => ({
  request: query(`INSERT INTO request (idem_key, body, calls, first_at, last_at) VALUES (?, ?, 1, ?, ?)
    ON CONFLICT (idem_key) DO UPDATE SET calls = calls + 1, last_at = excluded.last_at
    RETURNING body, calls, first_at, refusal`),
  refuse: query('UPDATE request SET refusal = ? WHERE idem_key = ?'),
  countCall: query(`INSERT INTO reference_call (gateway_id, reference, calls) VALUES (?, ?, 1)
    ON CONFLICT (gateway_id, reference) DO UPDATE SET calls = calls + 1 RETURNING calls`),
  byKey: query('SELECT * FROM effect WHERE idem_key = ?'),
  charge: query(`SELECT * FROM effect e WHERE kind = 'CHARGE' AND gateway_id = ? AND reference = ?
    AND NOT EXISTS (SELECT 1 FROM effect v WHERE v.charge_id = e.provider_id AND v.kind = 'VOID') ORDER BY n DESC LIMIT 1`),
  gone: query(
    `SELECT coalesce(sum(amount), 0) AS amount, coalesce(sum(fee), 0) AS fee FROM effect e WHERE charge_id = ?
      AND NOT EXISTS (SELECT 1 FROM came_back b WHERE b.provider_id = e.provider_id)`,
  ),
  refunds: query(`SELECT e.*, b.reason FROM effect e LEFT JOIN came_back b ON b.provider_id = e.provider_id
    WHERE e.charge_id = ? AND e.kind = 'REFUND' ORDER BY e.n`),
  disputed: query('SELECT coalesce(sum(amount), 0) AS amount FROM dispute WHERE charge_id = ? AND withdrawn = 1'),
  disputes: query('SELECT * FROM dispute WHERE charge_id = ? ORDER BY at, provider_id'),
  disputeBy: query('SELECT * FROM dispute WHERE provider_id = ?'),
  disputedIn: query(
    'SELECT * FROM dispute WHERE gateway_id = ? AND at >= ? AND at < ? ORDER BY at, provider_id LIMIT ?',
  ),
  putDispute:
    query(`INSERT INTO dispute (provider_id, charge_id, gateway_id, amount, currency, status, withdrawn, fee, reason, respond_by, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (provider_id) DO UPDATE SET status = excluded.status, withdrawn = excluded.withdrawn, fee = excluded.fee`),
  bringBack: query('INSERT OR IGNORE INTO came_back (provider_id, reason, at) VALUES (?, ?, ?)'),
  isSettled: query('SELECT 1 FROM settled WHERE idem_key = ?'),
  settle: query('INSERT OR IGNORE INTO settled (idem_key) VALUES (?)'),
  act: query(`INSERT INTO effect (idem_key, kind, gateway_id, reference, provider_id, charge_id, amount, fee, currency, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
  actLater: query('INSERT OR IGNORE INTO later (idem_key, effect, due_at) VALUES (?, ?, ?)'),
  plan: query('INSERT INTO planned (gateway_id, reference, what, due_at) VALUES (?, ?, ?, ?)'),
  takePlanned: query('DELETE FROM planned WHERE due_at <= ? RETURNING n, gateway_id, reference, what'),
  forget: query('DELETE FROM later WHERE idem_key = ?'),
  due: query('SELECT effect FROM later WHERE due_at <= ? ORDER BY due_at, idem_key LIMIT 100'),
  inTime: query(`SELECT e.*, EXISTS (SELECT 1 FROM came_back b WHERE b.provider_id = e.provider_id) AS failed
    FROM effect e WHERE gateway_id = ? AND at >= ? AND at < ? ORDER BY at, n LIMIT ?`),
});

const DisputeStatus = z.enum(['OPEN', 'WON', 'LOST', 'CLOSED']);
const disputeFrom = (row: Row): RecordedDispute => {
  const status = DisputeStatus.parse(row['status']);
  return {
    providerId: String(row['provider_id']),
    amountMinor: Number(row['amount']),
    currency: String(row['currency']),
    status,
    withdrawn: row['withdrawn'] === 1,
    feeMinor: Number(row['fee']),
    reason: String(row['reason']),
    respondBy: status === 'OPEN' ? new Date(Number(row['respond_by'])) : null,
  };
};

const oneOf = ([row]: readonly Row[]): RecordedEffect | null => (row === undefined ? null : effectFrom(row));

const effectFrom = (row: Row): RecordedEffect => ({
  ...Effect.parse({
    key: row['idem_key'],
    kind: row['kind'],
    gatewayId: row['gateway_id'],
    reference: row['reference'],
    providerId: row['provider_id'],
    chargeId: row['charge_id'],
    amountMinor: row['amount'],
    feeMinor: row['fee'],
    currency: row['currency'],
  }),
  at: new Date(Number(row['at'])),
});
