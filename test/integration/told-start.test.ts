import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { taskChangedMessage } from '../../src/domain/messages/catalogue/task-changed.ts';
import { taskWithdrawnMessage } from '../../src/domain/messages/catalogue/task-withdrawn.ts';
import { loadFacts } from '../../src/domain/messages/delivery-facts.ts';
import { createTestDatabase } from '../setup/database.ts';
import { seedStays } from '../setup/stays.ts';

/** The start that somebody was told of a task: found among the messages about it, of whichever stay the newer message is. */

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'told-start-test' }));
  await seedStays(db, [
    { id: 'left', propertyId: 'flat' },
    { id: 'arrives', propertyId: 'flat', checkInDate: '2024-02-03', checkOutDate: '2024-02-05' },
  ]);
  await db
    .insertInto('staff')
    .values({ id: 'sara', name: 'Sara', email: 'sara@staff.example', role: 'CLEANER' })
    .execute();
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

const TOLD = '2024-02-03T14:00:00.000Z';
const MESSAGES = {
  TASK_WITHDRAWN: (taskId: string) => taskWithdrawnMessage('sara', taskId),
  TASK_CHANGED: (taskId: string) => taskChangedMessage('sara', taskId, new Date(TOLD)),
};

let made = 0;
async function task(reservationId: string | null): Promise<string> {
  made += 1;
  const id = `task-${made}`;
  await db
    .insertInto('task')
    .values({
      id,
      property_id: 'flat',
      reservation_id: reservationId,
      type: 'CLEANING',
      occurrence: 'MANUAL',
      title: 'Clean',
      status: 'CANCELLED',
      scheduled_at: '2024-02-03T11:00:00Z',
      ends_at: '2024-02-03T13:00:00Z',
    })
    .execute();
  return id;
}
async function order(taskId: string, reservationId: string | null, message: object): Promise<string> {
  made += 1;
  const row = { channel: 'EMAIL', recipient_type: 'STAFF', recipient_id: 'sara', task_id: taskId } as const;
  const { id } = await db
    .insertInto('notification')
    .values({
      id: `message-${made}`,
      effect_key: `effect-${made}`,
      reservation_id: reservationId,
      ...row,
      ...message,
    } as never)
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

describe('the start that somebody was told', () => {
  for (const stay of ['left', null]) {
    for (const [event, make] of Object.entries(MESSAGES)) {
      for (const of of ['left', 'arrives', null]) {
        it(`is known to ${event} of ${of ?? 'no stay'} about a task of ${stay ?? 'no stay'}`, async () => {
          const taskId = await task(stay);
          const params = JSON.stringify({ toldStart: TOLD });
          const sent = { event: 'TASK_ASSIGNED', template: 'task-assigned.staff@1', status: 'SENT', params };
          await order(taskId, stay, { ...sent, sent_at: new Date() });
          const { template } = make(taskId);
          const id = await order(taskId, of, { event, template });
          const [facts] = await loadFacts(db, [id]);
          expect(facts?.own).toMatchObject({ toldStart: TOLD });
        });
      }
    }
  }
});
