import twilio from 'twilio';
import type { Messenger, OutgoingMessage, SendOutcome } from '../../domain/ports.ts';

/**
 * SMS by Twilio's REST API (Messages resource, 2010-04-01) through its own client. It knows no idempotency key and every
 * message costs money, so an outcome that is not known is looked up and, if it stays unknown, never sent again by itself
 * (guarantees.md 2.5.2).
 */
export interface TwilioOptions {
  readonly accountSid: string;
  readonly authToken: string;
  /** A phone number, or the SID of a messaging service (`MG...`). */
  readonly from: string;
  /** Only for a stand-in of the API. */
  readonly apiUrl?: string | null;
  /** The address of delivery receipts; null: none are sent. */
  readonly statusCallback?: string | null;
}

const API = 'https://api.twilio.com';
const TIMEOUT_MS = 8_000;
const MAX_REPLY_BYTES = 65_536;
const MAX_BATCH = 20;
/** So many of a recipient's last messages are looked through; they fit into one reply. */
const LOOKED_THROUGH = 20;
const AT_ONCE = 5;
/** So long before the request a message that is found may have been made, by another clock. */
const SKEW_MS = 120_000;

/** Sends what the client asks for to another address than Twilio's. */
class Redirected extends twilio.RequestClient {
  readonly #origin: string;
  constructor(origin: string) {
    super({ timeout: TIMEOUT_MS, autoRetry: false });
    this.axios.defaults.maxContentLength = MAX_REPLY_BYTES;
    this.#origin = origin;
  }
  override request<T>(options: Parameters<twilio.RequestClient['request']>[0]) {
    return super.request<T>({
      ...options,
      uri: options.uri.replace(API, this.#origin),
      timeout: TIMEOUT_MS,
      allowRedirects: false,
    } as never);
  }
}

export function createTwilio(options: TwilioOptions): Messenger {
  const { accountSid, authToken, from, apiUrl, statusCallback } = options;
  const httpClient = new Redirected((apiUrl ?? API).replace(/\/+$/, ''));
  const client = twilio(accountSid, authToken, { httpClient });
  const sender = from.startsWith('MG') ? { messagingServiceSid: from } : { from };

  async function find({ to, text }: OutgoingMessage, since: Date): Promise<readonly string[]> {
    const made = new Date(since.getTime() - SKEW_MS);
    const known = await client.messages.list({
      to,
      dateSentAfter: made,
      limit: LOOKED_THROUGH,
      pageSize: LOOKED_THROUGH,
    });
    return known
      .filter(({ body, dateCreated }) => body === text && dateCreated >= made)
      .toSorted((a, b) => a.dateCreated.getTime() - b.dateCreated.getTime())
      .map(({ sid }) => sid);
  }

  async function send(message: OutgoingMessage): Promise<SendOutcome> {
    const begun = new Date();
    try {
      const { sid } = await client.messages.create({
        to: message.to,
        body: message.text,
        ...sender,
        ...(statusCallback ? { statusCallback } : {}),
      });
      return { sent: true, providerId: sid };
    } catch (error) {
      const failure = failureOf(error);
      if (failure !== null) return { sent: false, ...failure };
      const candidates = await find(message, begun).catch(() => []);
      return { sent: false, unknown: true, reason: 'SMS_OUTCOME_UNKNOWN', candidates };
    }
  }

  return {
    maxBatch: MAX_BATCH,
    repeats: 'COST',
    find: (message, since) => find(message, since),
    send: async (messages) => {
      const outcomes: SendOutcome[] = new Array(messages.length);
      const queue = messages.entries();
      const lane = async (): Promise<void> => {
        for (const [index, message] of queue) outcomes[index] = await send(message);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, lane));
      return outcomes;
    },
    close: async () => {},
  };
}

/** Nothing was sent, for this reason; null: that is not known. Codes only: Twilio's texts quote numbers. */
function failureOf(error: unknown): { readonly permanent: boolean; readonly reason: string } | null {
  const { status, code } = error instanceof Error ? (error as { status?: unknown; code?: unknown }) : {};
  if (typeof status === 'number' && status >= 400 && status < 500) {
    const isLater = status === 429 || status === 408 || status === 401 || status === 403;
    return { permanent: !isLater, reason: `TWILIO_${typeof code === 'number' ? code : status}` };
  }
  return typeof code === 'string' && UNSENT.has(code) ? { permanent: false, reason: `TWILIO_${code}` } : null;
}
/** The request never reached anybody. */
const UNSENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
