import type { Db } from '../db/client.ts';
import type { RipeFinding } from '../domain/incidents/findings.ts';
import type { IncidentKind } from '../domain/incidents/kinds.ts';
import { orderDigest } from '../domain/incidents/notices.ts';
import { forgetDead } from '../domain/incidents/processes.ts';
import { openIncidents } from '../domain/incidents/resource.ts';
import { settleIncidents } from '../domain/incidents/store.ts';
import { type AuditWalk, leaveWatch, takeDigest, takeWatch } from '../domain/incidents/watch.ts';
import { createAlarm, type Wait } from '../kernel/alarm.ts';
import { createFailuresInARow, type FailuresInARow } from '../kernel/failures.ts';
import type { Logger } from '../kernel/log.ts';
import { withTimeout } from '../kernel/time-limit.ts';
import { createRipening } from './ripening.ts';
import type { PartlySeen, Sign } from './sign.ts';
import type { Teller } from './tell.ts';

/**
 * Looks every ten seconds whether anything stands still, keeps the incidents, and tells them. Every API process has one; a lease in
 * Postgres decides which of them looks. It needs no worker, no queue and no Redis for anything that it does.
 */
export interface Watchdog {
  start(): void;
  stop(): Promise<void>;
  /** One round, for tests; false: another process keeps the watch. */
  round(): Promise<boolean>;
}
export interface WatchdogParts {
  readonly db: Db;
  /** This process. */
  readonly holder: string;
  /** `walk`: how far the audit trail has been walked. */
  readonly signs: (walk: () => AuditWalk) => readonly Sign[];
  /** What every process does in each round, whether it keeps the watch or not. */
  readonly everywhere?: () => Promise<void>;
  readonly teller: Teller;
  readonly timeZone: string;
  /** Says elsewhere that all is well; what hears nothing for a while raises the alarm. */
  readonly sayAllIsWell: () => Promise<void>;
  readonly log: Logger;
  /** Between two rounds. */
  readonly wait?: Wait;
  /** Milliseconds of a clock that never steps back. */
  readonly now?: () => number;
}

const ROUND_MS = 10_000;
const LOOK_TIMEOUT_MS = 3_000;

export function createWatchdog(parts: WatchdogParts): Watchdog {
  const { db, holder, teller, log } = parts;
  const stopping = new AbortController();
  const alarm = createAlarm(parts.wait);
  const ripening = createRipening(parts.now ?? (() => performance.now()));
  const rounds = createFailuresInARow(log, {
    begins: 'a round of the watchdog failed',
    ends: 'the watchdog looks again',
    level: 'warn',
  });
  const doEverywhere = createDoEverywhere(parts);
  const lookAt = createLooks(log);
  let walk: AuditWalk | null = null;
  let loop: Promise<void> = Promise.resolve();
  const signs = parts.signs(() => {
    if (walk === null) throw new Error('nobody keeps the watch');
    return walk;
  });

  async function look(): Promise<{ readonly isBlind: boolean }> {
    const found: RipeFinding[] = [];
    const checked: IncidentKind[] = ['WATCHDOG_BLIND'];
    let isBlind = false;
    for (const sign of signs) {
      const seen = await lookAt(sign);
      isBlind ||= seen === null;
      found.push(...ripening.of(seen?.found ?? [{ kind: 'WATCHDOG_BLIND', subject: sign.name }]));
      checked.push(...(seen?.checked ?? []));
    }
    ripening.endRound();
    const { opened, closed } = await settleIncidents(db, { findings: found, checked }, teller.targets);
    if (opened.length + closed.length > 0) log.warn({ opened, closed }, 'incidents changed');
    return { isBlind };
  }

  async function round(): Promise<boolean> {
    await doEverywhere();
    walk = await takeWatch(db, holder);
    if (walk === null) return false;
    const { isBlind } = await look();
    await forgetDead(db);
    if (await takeDigest(db, holder, parts.timeZone)) await orderDigest(db, teller.targets);
    await teller.tell();
    const open = await openIncidents(db, null);
    const isWell = !isBlind && !open.some(({ severity }) => severity === 'CRITICAL');
    if (isWell) await parts.sayAllIsWell();
    return true;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await round();
        rounds.succeeded();
      } catch (error) {
        rounds.failed(error);
      }
      await alarm.sleep(ROUND_MS, stopping.signal);
    }
    await leaveWatch(db, holder).catch(() => undefined);
  }

  return {
    round,
    start: () => {
      loop = run();
    },
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}

const tooLate = (cause: unknown): Error => new Error('no answer in time', { cause });

/** The watch goes on without it; where this process keeps it, the look that needs it tells. */
function createDoEverywhere({ everywhere, log }: WatchdogParts): () => Promise<void> {
  const failures = createFailuresInARow(log, {
    begins: 'what every process keeps could not be kept up',
    ends: 'what every process keeps is kept up again',
    level: 'warn',
  });
  return async () => {
    if (!everywhere) return;
    try {
      await withTimeout({ timeoutMs: LOOK_TIMEOUT_MS, error: tooLate }, everywhere);
      failures.succeeded();
    } catch (error) {
      failures.failed(error);
    }
  };
}

/** Looks at a sign: what it finds; null: it cannot be seen. One line in the log when that begins and one when it ends. */
function createLooks(log: Logger): (sign: Sign) => Promise<PartlySeen | null> {
  const streaks = new Map<string, FailuresInARow>();
  const streakOf = ({ name }: Sign): FailuresInARow => {
    const fields = { sign: name };
    const streak =
      streaks.get(name) ??
      createFailuresInARow(log, { begins: 'a look of the watchdog failed', ends: 'the watchdog sees again', fields });
    streaks.set(name, streak);
    return streak;
  };
  return async (sign) => {
    try {
      const found = await withTimeout({ timeoutMs: LOOK_TIMEOUT_MS, error: tooLate }, () => sign.look());
      streakOf(sign).succeeded();
      return 'checked' in found ? found : { found, checked: sign.kinds };
    } catch (error) {
      streakOf(sign).failed(error);
      return null;
    }
  };
}
