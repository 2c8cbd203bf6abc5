import { driveRedrives } from '../../src/engine/redrive.ts';
import { newId } from '../../src/kernel/ids.ts';
import { checkOut } from '../../src/sagas/index.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { restOf, until } from './engine.ts';
import { type Answer, type CallOptions, startSystem } from './system.ts';

/** Sagas that a dead lock has stopped, and two processes that try them again, with nothing but Postgres to go by. */

export interface Parked {
  readonly id: string;
  readonly stay: string;
}

const OPS = { role: 'OPS', sub: 'ops-1' } as const;

export type Redrives = Awaited<ReturnType<typeof openRedrives>>;
export async function openRedrives() {
  const system = await startSystem(undefined, { sagaWaitMs: 500 });
  const { db } = system.bed;
  await prepareStays(db);
  const prefix = system.bed.newPrefix();
  // They share their jobs, and have none that were made before: Redis has been emptied.
  const heirs = [await system.bed.start({ prefix }), await system.bed.start({ prefix })] as const;
  const drive = ({ db: own, engine }: (typeof heirs)[number]): Promise<number> =>
    driveRedrives({ db: own, orchestrator: engine.orchestrator });
  const get = (path: string, options: CallOptions = OPS): Promise<Answer> => system.call('GET', path, options);
  const standing = async (incidentId: string) => (await get(`/incidents/${incidentId}/redrive`)).body.data;
  return {
    system,
    db,
    get,
    post: (path: string, body: object, options: CallOptions = OPS): Promise<Answer> =>
      system.call('POST', path, { body, ...options }),
    /** One process, whether the next second has come or not. */
    driveOne: (): Promise<number> => drive(heirs[0]),
    /** The second of each redrive is over, and both processes look at once. */
    round: async (): Promise<number> => {
      await db
        .updateTable('redrive')
        .set({ due_at: new Date(0) })
        .where('ended_at', 'is', null)
        .execute();
      const tried = await Promise.all(heirs.map(drive));
      return tried.reduce((all, count) => all + count, 0);
    },
    standing,
    rested: (sagas: readonly Parked[]) => Promise.all(sagas.map(({ id }) => restOf(db, id))),
    close: () => system.close(),
  };
}

export async function placeOf({ db }: Redrives, stay: string): Promise<string> {
  const { property_id } = await db
    .selectFrom('reservation')
    .select('property_id')
    .where('id', '=', stay)
    .executeTakeFirstOrThrow();
  return property_id;
}
export async function wire(bed: Redrives, stay: string, device: string): Promise<void> {
  const property = await placeOf(bed, stay);
  await bed.db.updateTable('property').set({ amenity_device: device }).where('id', '=', property).execute();
}

export async function confirmedStay({ db }: Redrives): Promise<string> {
  const stay = await seedStay(db);
  await db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('id', '=', stay).execute();
  return stay;
}

export async function parkedCheckOut(bed: Redrives): Promise<Parked> {
  const { db, system } = bed;
  const stay = await confirmedStay(bed);
  await system.call('POST', `/reservations/${stay}/check-in`, { body: {} });
  await until('the guest is in', async () => {
    const open = await db
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', stay)
      .where('finished_at', 'is', null)
      .executeTakeFirst();
    return open ? undefined : true;
  });
  await wire(bed, stay, `device-refused-${stay}`);
  const { sagaId } = await system.bed.accept(system.process, checkOut, {
    subjectId: stay,
    input: { reservationId: stay, actualTime: null, strict: false },
  });
  const status = await restOf(db, sagaId);
  if (status !== 'parked') throw new Error(`the check-out is ${status}`);
  return { id: sagaId, stay };
}

/** As if its step had failed once, and its job came back in an hour. */
export async function backsOff({ db }: Redrives, { id }: Parked): Promise<void> {
  await db
    .updateTable('saga_step')
    .set({ status: 'pending', finished_at: null, max_attempts: 8 })
    .where('saga_id', '=', id)
    .where('status', '=', 'failed')
    .execute();
  const later = new Date(Date.now() + 3_600_000);
  await db.updateTable('saga').set({ status: 'running', next_check_at: later }).where('id', '=', id).execute();
}

/** The only one that is open. */
export async function openIncident(
  { db }: Redrives,
  {
    kind = 'SAGA_PARKED',
    subject = 'checkOut.deactivatePropertyAmenities: AMENITIES_REFUSED',
  }: { readonly kind?: string; readonly subject?: string } = {},
): Promise<string> {
  const id = newId('incident');
  await closeIncidents(db);
  await db
    .insertInto('incident')
    .values({
      ...{ id, kind, subject, area: 'ENGINE', severity: 'WARNING', count: 1, most: 1 },
      ...{ since: new Date(), details: '{"examples":[]}' },
    })
    .execute();
  return id;
}
/** By themselves. */
export const closeIncidents = (db: Redrives['db']) =>
  db
    .updateTable('incident')
    .set({ closed_at: new Date(), closed_by: 'watchdog' })
    .where('closed_at', 'is', null)
    .execute();
