/**
 * Sagas that send money out under a key of their own. One that a restored backup does not know has sent under another key, so these
 * are paused after a restore, from their first step on (docs/deploy.md). What a gateway takes in is told apart by its reference.
 */
export const PAYING_OUT: readonly string[] = ['executeRefund', 'processOwnerPayout'];
