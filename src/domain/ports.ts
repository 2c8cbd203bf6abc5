import type { Channel } from '../db/schema.ts';

/** What the domain needs of the outside. Adapters are in `gateways`; the programs wire them. */

/** A rendered message to one recipient. Values in it are escaped for their place already; an adapter checks again. */
export interface OutgoingMessage {
  /** Stable over every attempt, so that a receiver can tell a repeat: `<effectKey@roomy>`. */
  readonly messageId: string;
  readonly channel: Channel;
  /** One e-mail address, or one phone number. */
  readonly to: string;
  /** Null for SMS. */
  readonly subject: string | null;
  readonly text: string;
  /** Null for SMS. */
  readonly html: string | null;
}

export type SendOutcome =
  | { readonly sent: true; readonly providerId: string }
  /** `reason` is a code, never a provider's text: that may quote the recipient. */
  | { readonly sent: false; readonly permanent: boolean; readonly reason: string };

export interface Messenger {
  /** Messages that one call surely finishes within `SEND_BUDGET_MS`; a caller gives no more at once. */
  readonly maxBatch: number;
  /** One outcome per message, in the same order. A throw means that none may be counted as sent. */
  send(messages: readonly OutgoingMessage[]): Promise<readonly SendOutcome[]>;
  close(): Promise<void>;
}

/** Must be well under the lease of a claimed notification (30 s). */
export const SEND_BUDGET_MS = 20_000;
