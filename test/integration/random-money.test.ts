import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';

/**
 * Whatever is done to a stay's money, in whatever order and also at the same moment, the books agree afterwards. Each
 * case is a real run of real sagas, so there are few; the arithmetic alone is tried ten thousand times in
 * `shares.test.ts` and `refund-policy.test.ts`.
 */
let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  await system.bed.db.updateTable('owner').set({ payout_account: 'acct-owner' }).execute();
});
afterAll(() => system?.close());

type Act =
  | { readonly kind: 'confirm' | 'cancel' | 'payout' | 'together' }
  | { readonly kind: 'pay'; readonly minor: number; readonly prefix: string };
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pay' as const),
      minor: fc.integer({ min: 101, max: 60_000 }),
      prefix: fc.constantFrom('ref', 'ref', 'ref-declined', 'ref-flaky', 'ref-timeout-after', 'ref-wrong-amount'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('confirm', 'payout', 'together', 'cancel') }) },
);

let references = 0;
async function perform(id: string, sub: string, one: Act): Promise<void> {
  const post = (path: string, body: object) => system.call('POST', path, { body, sub });
  const pay = (minor: number, prefix: string) => {
    references += 1;
    const amount = (minor / 100).toFixed(2);
    const gatewayReference = `${prefix}-random-${references}`;
    return post(`/reservations/${id}/payment`, { amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference });
  };
  const release = async () => {
    const open = await system.call('GET', `/transactions?reservationId=${id}&type=OWNER_PAYOUT&status=PENDING`);
    const [payout] = open.body.data as readonly { readonly id: string }[];
    return payout ? post(`/transactions/${payout.id}/payout`, { netting: true }) : null;
  };
  const cancel = () => post(`/reservations/${id}/cancel`, { refundPercentOverride: 37, reason: 'RANDOM' });
  const answers = {
    confirm: async () => [await post(`/reservations/${id}/confirm`, {})],
    cancel: async () => [await cancel()],
    payout: async () => [await release()],
    pay: async () => (one.kind === 'pay' ? [await pay(one.minor, one.prefix)] : []),
    together: () => Promise.all([pay(5_000, 'ref'), cancel(), release()]),
  };
  for (const answer of await answers[one.kind]()) {
    if (answer) expect(answer.status, answer.text).toBeLessThan(500);
  }
}

it('M11: the books agree after any sequence of payments, declines, payouts and cancellations', {
  timeout: 120_000,
}, async () => {
  let stays = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 8 }), async (acts) => {
      stays += 1;
      const id = await seedStay(system.bed.db);
      for (const one of acts) await perform(id, `admin-${stays}`, one);
      await expectIntegrity(system.bed.db);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});
