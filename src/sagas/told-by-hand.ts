/** Of a step that only tells people something, and that nothing stands on: it may be skipped. `who`: whom a person tells instead. */
export const toldByHand = (who: string) => ({
  follows: `Nothing is sent: tell ${who} by hand.`,
  instead: async () => ({ count: 0 }),
});

/** How many of these messages went: none of a last step that was skipped (`isLastSkipped` of the ending). */
export const sentUnlessSkipped = (count: number, isLastSkipped: true | undefined): number =>
  isLastSkipped === true ? 0 : count;
/** Whether an earlier step of these ordered anything: its output counts what it ordered, and a skipped one nothing. */
export const hasTold = (output: object): boolean => !('count' in output) || output.count !== 0;
