import type { Tx } from '../db/client.ts';
import { unlessRefused } from '../db/savepoint.ts';
import type { StartVisit } from '../domain/stays/follow-up-actions.ts';
import { ONE_OPEN_SAGA } from '../engine/store/accept.ts';
import type { Requester } from '../engine/types.ts';
import { reservationServiceWithin } from './reservation-service.ts';

/**
 * Starts the saga of a completed meeting in the commit of its completion, in the name of the person who completed it
 * (domain.md 14). The function resolves to the saga's id; null: another saga is at work on the stay.
 */
export const startVisitFor =
  (requester: Requester): StartVisit =>
  async (tx: Tx, saga, { reservationId, actualTime, key }) => {
    let sagaId: string | null = null;
    await unlessRefused(tx, ONE_OPEN_SAGA, async () => {
      const order = { actualTime, strict: false };
      sagaId = await reservationServiceWithin(tx)[saga](reservationId, order, { requester, key });
    });
    return sagaId;
  };
