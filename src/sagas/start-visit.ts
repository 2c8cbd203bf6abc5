import type { Tx } from '../db/client.ts';
import { unlessRefused } from '../db/savepoint.ts';
import type { StartVisit } from '../domain/stays/next-actions.ts';
import { acceptWithin } from '../engine/accept.ts';
import { ONE_OPEN_SAGA } from '../engine/store/accept.ts';
import type { Requester } from '../engine/types.ts';
import { checkIn, checkOut } from './index.ts';

/** A completed meeting starts its saga in the same commit, in the name of whoever completed it (domain.md 14). */
export const startVisitFor =
  (requester: Requester): StartVisit =>
  async (tx: Tx, saga, { reservationId, actualTime, key }) => {
    let sagaId: string | null = null;
    await unlessRefused(tx, ONE_OPEN_SAGA, async () => {
      sagaId = await acceptWithin(tx, saga === 'checkIn' ? checkIn : checkOut, {
        subjectId: reservationId,
        input: { reservationId, actualTime, strict: false },
        requester,
        key,
      });
    });
    return sagaId;
  };
