import type { Db } from '../../src/db/client.ts';
import { type DeliveryDeps, deliverDue } from '../../src/domain/messages/delivery.ts';
import { storeDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { createDevMailbox } from '../../src/gateways/dev-mailbox.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLinkSeal } from '../../src/kernel/link-seal.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createTextSeal } from '../../src/kernel/text-seal.ts';
import { JWT } from '../http/harness.ts';

/** Of a delivery into the mailbox for developers, which a test reads. */
export function mailboxDeps(db: Db, publicUrl = 'https://roomy.example'): DeliveryDeps {
  const mailbox = createDevMailbox((messages) => storeDevMail(db, messages));
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
export async function deliverAll(db: Db, publicUrl?: string): Promise<void> {
  while ((await deliverDue(mailboxDeps(db, publicUrl))) > 0);
}
