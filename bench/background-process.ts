import { createDb, createPool } from '../src/db/client.ts';
import { assignDueTasks } from '../src/domain/assignment/assign-sweep.ts';
import { deliverDue } from '../src/domain/messages/delivery.ts';
import { storeDevMail } from '../src/domain/messages/delivery-mailbox.ts';
import { createDevMailbox } from '../src/gateways/dev-mailbox.ts';
import { createSmtp } from '../src/gateways/smtp/messenger.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { createLinkSeal } from '../src/kernel/link-seal.ts';
import { createLogger } from '../src/kernel/log.ts';
import { createTextSeal } from '../src/kernel/text-seal.ts';
import { DELIVERY_LANES, inLanes } from '../src/workers/sweeps.ts';
import { benchFieldKeys } from './field-keys.ts';

/**
 * The sweeps of the worker as it runs them (the same batches, lanes and adapters), and nothing else, so that what a row costs
 * can be told from what doing nothing costs.
 */
export type BackgroundWork = 'task' | 'mailbox' | 'mail';
export interface BackgroundOrder {
  readonly work: BackgroundWork;
  /** It stops when it has looked at so many, or when nothing is due any more. */
  readonly rows: number;
}

const ASSIGNED_AT_ONCE = 50;
const MAX_ROUNDS = 1_000;

const [databaseUrl = '', smtpPort = ''] = process.argv.slice(2);
const db = createDb(
  createPool({ connectionString: databaseUrl, max: 10, applicationName: 'bench-background' }),
  benchFieldKeys(),
);
const mailbox = createDevMailbox((messages) => storeDevMail(db, messages));
const smtp = createSmtp({ url: `smtp://127.0.0.1:${smtpPort}`, from: 'Roomy <no-reply@roomy.example>' });
const delivery = {
  db,
  opsEmail: 'ops@roomy.example',
  secrets: createTextSeal([]),
  links: createLinkSeal([], systemClock),
  publicUrl: 'https://roomy.example',
  agencyTimeZone: 'Asia/Dubai',
  log: createLogger('bench', 'silent'),
};
const messengers = { mailbox: { EMAIL: mailbox, SMS: mailbox }, mail: { EMAIL: smtp, SMS: mailbox } };

async function run({ work, rows }: BackgroundOrder): Promise<void> {
  let looked = 0;
  const until = async (round: () => Promise<number>): Promise<void> => {
    for (let no = 0; no < MAX_ROUNDS && looked < rows; no += 1) {
      const some = await round();
      looked += some;
      if (some === 0) return;
    }
  };
  if (work === 'task') await until(() => assignDueTasks(db, ASSIGNED_AT_ONCE));
  else await inLanes(DELIVERY_LANES, () => until(() => deliverDue({ ...delivery, messengers: messengers[work] })));
}

process.on('message', (order: BackgroundOrder) => {
  void run(order).then(
    () => process.send?.(null),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));
