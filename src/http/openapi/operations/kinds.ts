/** The text for integrators about one operation, beside its schemas, its policy and its refusals. */
export interface OperationText {
  /** Stable: generated clients call a function by this name. A verb and a noun. */
  readonly id: string;
  /** Effect, units, preconditions, consequences, and the meaning of its refusals. */
  readonly text: string;
  /** An example of the answer, where the one made from its schema is not enough. */
  readonly answer?: unknown;
}
export type OperationTexts = Readonly<Record<string, OperationText>>;

export const API = '/api/production';
/** A saga answers in one of two ways. */
export const SAGA =
  'This starts a saga: every step takes effect, or all are undone. The request waits for its end and answers 200, or answers 202 with a `Location` to follow when it takes longer or the caller asks for it (`Prefer: respond-async`). Send an `Idempotency-Key`, so that a repeat after a lost connection does nothing twice. With `dryRun=true` the same steps are tried and taken back: the answer is what they would do (`application/vnd.roomy.plan+json`, described under `x-dry-run`), or their refusal; nothing is written, nobody is asked or told, and no key is taken.';
/** The same of an act that is no saga. */
export const REHEARSED =
  'With `dryRun=true` it is tried and taken back, with what would follow from it: the answer is the plan (`application/vnd.roomy.plan+json`, described under `x-dry-run`), or the refusal, and nothing is written.';
export const VERSIONED =
  'Send the `ETag` that was read as `If-Match`, and a change that somebody else made in between is refused with 412 `PRECONDITION_FAILED` instead of being overwritten.';
export const PAGED =
  'Newest first, one page at a time: pass `nextCursor` as `cursor` with the same filter until it is null.';
export const PORTFOLIO =
  'An agent sees the properties of its portfolio only, an owner those of its own; everything else does not exist for them (404).';
/** Of a timeline. */
export const OLDEST_FIRST =
  'Oldest first, one page at a time: pass `nextCursor` as `cursor` until it is null. Each entry has its instant, a sentence, the details that the list of its kind has, and as `cause` the entry of this list that it follows from. Of each kind a caller sees what it may list elsewhere, and of amounts and names what it is shown there.';
