import type { Config } from './config.ts';
import type { Db } from './db/client.ts';
import type { SealParts } from './domain/audit/seals/compare.ts';
import { createSealKeeper, type SealKeeper } from './domain/audit/seals/keeper.ts';
import { storeDevMail } from './domain/messages/delivery-mailbox.ts';
import { createDevMailbox } from './gateways/dev-mailbox.ts';
import { openMessengers } from './gateways/message-channels.ts';
import { systemClock } from './kernel/clock.ts';
import { kindOfError } from './kernel/errors.ts';
import type { Logger } from './kernel/log.ts';
import type { QueueConnection } from './queues/connection.ts';
import { DEFINITIONS, MONEY_SAGAS } from './sagas/index.ts';
import { auditSign } from './watchdog/signs/audit.ts';
import { declinedSign, disputeSign } from './watchdog/signs/money.ts';
import { redisSign, type WatchedQueues } from './watchdog/signs/queues.ts';
import { approvalSign, holdSign, sagaSign, setAsideSign, waitingSign, webhookSign } from './watchdog/signs/rows.ts';
import { sealSign } from './watchdog/signs/seals.ts';
import { circuitSign, workerSign } from './watchdog/signs/workers.ts';
import { createTeller, type TellerParts } from './watchdog/tell.ts';
import { createWatchdog, type Watchdog, type WatchdogParts } from './watchdog/watchdog.ts';
import { JOBS } from './workers/jobs.ts';
import { WORKER_ROLES } from './workers/roles.ts';

/** The watchdog of an API process: all that it looks at, and how it tells. */

const PING_TIMEOUT_MS = 5_000;

export interface WatchParts extends Pick<WatchdogParts, 'sayAllIsWell' | 'log' | 'wait' | 'now'> {
  readonly db: Db;
  readonly queues: WatchedQueues;
  readonly holder: string;
  readonly timeZone: string;
  /** Null: the audit trail is not sealed. */
  readonly seals: SealKeeper | null;
  readonly teller: Omit<TellerParts, 'db' | 'log' | 'timeZone' | 'definitions'>;
}

/** With every sign that there is. */
export function createWatch({ db, queues, holder, timeZone, seals, teller, ...rest }: WatchParts): Watchdog {
  return createWatchdog({
    ...rest,
    db,
    holder,
    timeZone,
    ...(seals ? { everywhere: seals.keepUp } : {}),
    teller: createTeller({ ...teller, db, timeZone, definitions: DEFINITIONS, log: rest.log }),
    signs: (walk) => [
      redisSign(queues, JOBS),
      workerSign(db, WORKER_ROLES),
      circuitSign(db),
      waitingSign(db),
      sagaSign(db, (name) => MONEY_SAGAS.has(name)),
      approvalSign(db),
      declinedSign(db),
      disputeSign(db),
      holdSign(db),
      setAsideSign(db),
      webhookSign(db),
      auditSign(db, holder, walk),
      ...(seals ? [sealSign(seals)] : []),
    ],
  });
}

/** Of the program. `close` ends the watch and what it mails with. */
export async function startWatch(
  config: Config,
  {
    db,
    queues,
    holder,
    auditSeals,
    log,
  }: {
    readonly db: Db;
    readonly queues: QueueConnection;
    readonly holder: string;
    readonly auditSeals: SealParts | null;
    readonly log: Logger;
  },
): Promise<{ readonly start: () => void; readonly close: () => Promise<void> }> {
  const mailbox = createDevMailbox((messages) => storeDevMail(db, messages));
  const mails = config.channels.filter(({ channel }) => channel === 'EMAIL');
  const { messengers, close } = await openMessengers(mails, mailbox, log);
  const { publicUrl, opsEmail, incidentWebhook, agencyTimeZone: timeZone, deadMansSwitchUrl } = config;
  const watchdog = createWatch({
    db,
    queues,
    holder,
    timeZone,
    seals: auditSeals && createSealKeeper(auditSeals),
    log,
    teller: {
      mail: messengers.EMAIL,
      opsEmail,
      publicUrl,
      clock: systemClock,
      webhook: incidentWebhook && { ...incidentWebhook, publicUrl },
    },
    sayAllIsWell: async () => {
      if (deadMansSwitchUrl !== null) await ping(deadMansSwitchUrl, log);
    },
  });
  return {
    start: watchdog.start,
    close: async () => {
      await watchdog.stop();
      await close();
    },
  };
}

/** What does not answer raises the alarm itself: nothing is lost by a failure here. */
async function ping(url: string, log: Logger): Promise<void> {
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(PING_TIMEOUT_MS) });
    await response.body?.cancel();
  } catch (error) {
    log.debug({ reason: kindOfError(error) }, "the dead man's switch did not answer");
  }
}
