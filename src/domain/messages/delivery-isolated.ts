import { type Db, onOneConnection } from '../../db/client.ts';
import type { MessageCaps } from '../../kernel/message-caps.ts';
import { count } from '../../kernel/telemetry/measure.ts';
import { handBackRows } from '../notifications/store/deliver.ts';
import { forgetFailures, type RowFailure, recordFailures } from '../sweeps/failures.ts';
import { byHalves, sweepBatch } from '../sweeps/isolate.ts';
import { loadTaken } from './daily-caps.ts';
import { type Conditions, loadConditions } from './delivery-conditions.ts';
import { type Facts, loadFacts } from './delivery-facts.ts';
import {
  type ClaimedNotification,
  type ClaimMode,
  claimDue,
  dueIds,
  recordVerdicts,
  type Verdict,
} from './delivery-rows.ts';
import { digestCompleted } from './digest.ts';
import { offerTextsOf } from './offer-texts.ts';
import { loadSavedTexts, type SavedTexts } from './texts.ts';

/** The statements of a delivery, each of which one message can spoil: then it costs that message only. */

/** Suspects one by one, once nothing else is due. */
export async function claim(db: Db, limit: number): Promise<readonly ClaimedNotification[]> {
  const together = await claimSome(db, 'together', limit);
  return together.length > 0 ? together : await claimSome(db, 'alone', 1);
}

async function claimSome(db: Db, mode: ClaimMode, limit: number): Promise<readonly ClaimedNotification[]> {
  const claimed: ClaimedNotification[] = [];
  await sweepBatch({
    db,
    sweep: 'messages',
    limit,
    run: async (scope) => {
      claimed.push(...(await claimDue(db, mode, scope)));
      return [];
    },
    due: (some) => dueIds(db, mode, some),
  });
  return claimed;
}

export interface Known {
  readonly facts: ReadonlyMap<string, Facts>;
  readonly conditions: ReadonlyMap<string, Conditions>;
  /** How many their recipients have had today; empty where that does not matter. */
  readonly taken: ReadonlyMap<string, { readonly count: number }>;
  readonly texts: SavedTexts;
  /** Of these nothing could be read. */
  readonly failures: readonly RowFailure[];
}

/**
 * Everything that the delivery of claimed rows needs: facts, conditions, saved texts and, with caps, what recipients have had, in a
 * statement each for the whole batch. A row that spoils a statement is in `failures`, by its id, and in no map.
 */
export async function loadKnown(
  db: Db,
  claimed: readonly ClaimedNotification[],
  caps: MessageCaps | undefined,
): Promise<Known> {
  const ids = claimed.map(({ id }) => id);
  const events = [...new Set(claimed.map(({ event }) => event))];
  const facts = new Map<string, Facts>();
  const conditions = new Map<string, Conditions>();
  const taken = new Map<string, { readonly id: string; readonly count: number }>();
  const most = caps === undefined ? 0 : Math.max(...Object.values(caps));
  const counted = most > 0 ? claimed.filter(({ recipientType }) => recipientType !== 'OPS').map(({ id }) => id) : [];
  const keep = <T extends { readonly id: string }>(into: Map<string, T>, rows: readonly T[]): void => {
    for (const row of rows) into.set(row.id, row);
  };
  const [texts, ...failures] = await onOneConnection(db, (one) =>
    Promise.all([
      loadSavedTexts(
        one,
        claimed.flatMap(({ template }) => [template, ...offerTextsOf(template)]),
      ),
      byHalves(ids, async (some) => keep(facts, await loadFacts(one, some, events))),
      byHalves(ids, async (some) => keep(conditions, await loadConditions(one, some))),
      byHalves(counted, async (some) => keep(taken, await loadTaken(one, some, most))),
    ]),
  );
  return { facts, conditions, taken, texts, failures: failures.flat().map(({ item, error }) => ({ id: item, error })) };
}

type Result = ClaimedNotification & { readonly verdict: Verdict };

/** Puts messages into the next digest of their recipients; answers those that could not be. */
export async function digest(db: Db, ids: readonly string[]): Promise<readonly RowFailure[]> {
  const failures = await byHalves(ids, (some) => digestCompleted(db, some));
  return failures.map(({ item, error }) => ({ id: item, error }));
}

/** Writes the outcomes. One that cannot be kept with what was said is kept without; answers how many counted, and the rest. */
export async function record(
  db: Db,
  results: readonly Result[],
): Promise<{ readonly recorded: number; readonly failures: readonly RowFailure[] }> {
  let recorded = 0;
  const keep = async (some: readonly Result[]): Promise<void> => {
    recorded += await recordVerdicts(db, some);
    for (const { channel, verdict } of some) count('roomy_messages_total', { channel, outcome: verdict.status });
  };
  const unkept = await byHalves(results, keep);
  const bare = unkept.map(({ item }) => ({ ...item, verdict: withoutContent(item.verdict) }));
  const failures = await byHalves(bare, keep, results.length);
  return { recorded, failures: failures.map(({ item, error }) => ({ id: item.id, error })) };
}

const withoutContent = (verdict: Verdict): Verdict =>
  verdict.status === 'SENT' ? { ...verdict, rendered: { ...verdict.rendered, subject: null, body: '' } } : verdict;

/** Notes failures, and forgets those of rows that were set aside and have gone through. */
export async function noteFailures(db: Db, results: readonly Result[], failures: readonly RowFailure[]): Promise<void> {
  const failed = new Set(failures.map(({ id }) => id));
  const through = results.filter(({ id, wasSetAside }) => wasSetAside && !failed.has(id));
  await forgetFailures(
    db,
    'messages',
    through.map(({ id }) => id),
  );
  await recordFailures(db, 'messages', failures);
}

const AGAIN_SECONDS = 5;

/** Gives claimed rows back, with the attempt that they have not used. */
export async function handBack(db: Db, claimed: readonly ClaimedNotification[]): Promise<void> {
  const rows = claimed.map(({ id, attempts }) => ({ id, attempts }));
  await handBackRows(db, rows, AGAIN_SECONDS);
}
