import type { StartAccessChange } from '../../domain/stays/access.ts';
import { acceptWithin } from '../../engine/accept.ts';
import { changeAccess } from './v1.ts';

const REQUESTER = { sub: 'system:access', requestId: null };

export const startAccessChange: StartAccessChange = async (tx, { key, ...input }) => {
  await acceptWithin(tx, changeAccess, { subjectId: input.reservationId, input, requester: REQUESTER, key });
};
