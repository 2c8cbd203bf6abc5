import { sql } from 'kysely';
import type { GatewayEvent } from '../../src/domain/ports.ts';
import { sendOwedRefunds, takeUpGatewayNews } from '../../src/workers/finance.ts';
import { GATEWAY } from '../sagas/money.ts';
import { restOf, until } from './engine.ts';
import type { System } from './system.ts';

/** The sandbox gateway's side of a test: it tells events, and the sweep that takes them up is called by hand. */
export interface GatewayDesk {
  /** Sends an event; answers its outcome. */
  send(event: GatewayEvent, eventId?: string): Promise<string>;
  /** Tells that something has happened to a charge. */
  report(reference: string, eventId?: string): Promise<string>;
  /** One run of the sweep. */
  takeUp(): Promise<number>;
  /** Runs the sweeps until no event waits, no refund is to be sent and no saga is open. */
  takeUpUntilQuiet(): Promise<void>;
  /** A saga on the stay that waits for a person, until it is released. */
  holdStay(reservationId: string): Promise<{ readonly release: () => Promise<void> }>;
}

let events = 0;

export function createGatewayDesk({ bed, sandbox, process, call }: System): GatewayDesk {
  const { db } = bed;
  const { orchestrator } = process.engine;
  const send: GatewayDesk['send'] = async (event, eventId) => {
    events += 1;
    const received = { gatewayId: GATEWAY, eventId: eventId ?? `evt-desk-${events}`, type: event.kind, event };
    const headers = { 'stripe-signature': 'good' };
    const { body } = await call('POST', '/webhooks/stripe', { text: JSON.stringify(received), headers });
    return body.data.outcome;
  };
  const takeUp = () => takeUpGatewayNews({ db, ports: sandbox.ports, orchestrator });
  return {
    send,
    report: (reference, eventId) => send({ kind: 'charge-changed', reference, chargeId: null }, eventId),
    takeUp,
    async takeUpUntilQuiet() {
      await until('no event waits', async () => {
        await takeUp();
        // As a process of its own: only then its relay has what it orders.
        await sendOwedRefunds({ db: process.db });
        const { rows } = await sql<{ open: boolean }>`
          SELECT EXISTS (SELECT FROM gateway_event WHERE processed_at IS NULL) OR EXISTS (SELECT FROM saga WHERE finished_at IS NULL) AS open`.execute(
          db,
        );
        return rows[0]?.open === false ? true : undefined;
      });
    },
    async holdStay(reservationId) {
      const id = `saga-that-waits-${reservationId}`;
      await sql`INSERT INTO saga (id, name, definition_ver, subject_type, subject_id, input, input_hash, requested_by, total_steps, deadline_at, status)
        VALUES (${id}, 'refundReservation', 1, 'reservation', ${reservationId}, '{}', '', 'tester', 3, now() + interval '1 day', 'parked')`.execute(
        db,
      );
      return {
        release: async () => {
          await sql`UPDATE saga SET status = 'resolved', finished_at = now(), response_status = 409, response_body = '{}' WHERE id = ${id}`.execute(
            db,
          );
          await restOf(db, id);
        },
      };
    },
  };
}
