import { createDbOver, type Db, poolOf } from '../../src/db/client.ts';
import { type DeliveryDeps, deliverDue } from '../../src/domain/messages/delivery.ts';
import { storeDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { notificationContent } from '../../src/domain/messages/resource.ts';
import { createDevMailbox } from '../../src/gateways/dev-mailbox.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLinkSeal } from '../../src/kernel/link-seal.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createTextSeal } from '../../src/kernel/text-seal.ts';
import { JWT } from '../http/harness.ts';

/** Of a delivery into the mailbox for developers, which a test reads in its table: in clear, unless `isSealed`. */
export function mailboxDeps(db: Db, publicUrl = 'https://roomy.example', isSealed = false): DeliveryDeps {
  const box = isSealed ? db : createDbOver(poolOf(db));
  const mailbox = createDevMailbox((messages) => storeDevMail(box, messages));
  return {
    db,
    messengers: { EMAIL: mailbox, SMS: mailbox },
    opsEmail: 'ops@roomy.example',
    publicUrl,
    agencyTimeZone: 'Asia/Dubai',
    secrets: createTextSeal(JWT.keys),
    links: createLinkSeal(JWT.keys, systemClock),
    log: createLogger('test', 'silent'),
  };
}

/** Sends what is due, and what comes of that. */
export async function deliverAll(db: Db, publicUrl?: string, isSealed?: boolean): Promise<void> {
  while ((await deliverDue(mailboxDeps(db, publicUrl, isSealed))) > 0);
}

/** What is kept of all messages that were sent. */
export async function keptTexts(db: Db): Promise<readonly string[]> {
  const rows = await db.selectFrom('notification_content').select('notification_id').execute();
  return Promise.all(rows.map(async ({ notification_id }) => (await notificationContent(db, notification_id)).body));
}
