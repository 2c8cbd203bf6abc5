import type { RunSlotOptions } from '../../kernel/run-slots.ts';

/**
 * Statements about sagas under way at once in a process, of one kind (steps, or acceptance): few, so that many sagas share
 * each. One that waits for a lock of another transaction counts no more after a while, so that it keeps no other waiting.
 */
export const STATEMENT_SLOTS: RunSlotOptions = { max: 2, slowMs: 50, maxSlow: 6 };
