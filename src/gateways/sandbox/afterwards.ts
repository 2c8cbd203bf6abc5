/** Acts at the sandbox, past this system, on charges of references that ask for them: domain.md 18. */

export type Afterwards = 'refund' | 'dispute' | 'win' | 'lose';
interface Planned {
  readonly what: Afterwards;
  /** After the charge. */
  readonly afterMs: number;
}
const FIRST_MS = 2_000;
const SECOND_MS = 4_000;
const PLANS: readonly (readonly [prefix: string, plan: readonly Planned[]])[] = [
  ['ref-refunded-in-dashboard', [{ what: 'refund', afterMs: FIRST_MS }]],
  ['ref-disputed', [{ what: 'dispute', afterMs: FIRST_MS }]],
  [
    'ref-dispute-won',
    [
      { what: 'dispute', afterMs: FIRST_MS },
      { what: 'win', afterMs: SECOND_MS },
    ],
  ],
  [
    'ref-dispute-lost',
    [
      { what: 'dispute', afterMs: FIRST_MS },
      { what: 'lose', afterMs: SECOND_MS },
    ],
  ],
];

/** Empty for any other reference. */
export const plansOf = (reference: string): readonly Planned[] =>
  PLANS.find(([prefix]) => reference.startsWith(prefix))?.[1] ?? [];
