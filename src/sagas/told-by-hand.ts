/** Of a step that only tells people something, and that nothing stands on: it may be skipped. `who`: whom a person tells instead. */
export const toldByHand = (who: string) => ({
  follows: `Nothing is sent: tell ${who} by hand.`,
  instead: async () => ({ count: 0 }),
});
