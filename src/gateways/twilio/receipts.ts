import twilio from 'twilio';
import type { Receipt, WebhookReceiver } from '../../domain/ports.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { mayBeSignature } from '../signature.ts';

/** Of the form as it came. Null: it is not signed by the provider. */
type VerifyReceipt = (form: Readonly<Record<string, string>>, signature: string) => Receipt | null;

/** `webhooks/twilio`: what became of an SMS. A receipt has some twenty short fields. `url`: the address as Twilio calls it. */
export const twilioReceipts = (authToken: string, url: string): WebhookReceiver => {
  const verify = createReceiptVerifier(authToken, url);
  return {
    signatureHeader: 'x-twilio-signature',
    maxKib: 16,
    receive(rawBody, signature) {
      const receipt = verify(Object.fromEntries(new URLSearchParams(rawBody.toString('utf8'))), signature);
      if (receipt === null) throw new RoomyError('INVALID_SIGNATURE');
      return { receipt };
    },
  };
};

/** `url`: the address as Twilio calls it. */
export const createReceiptVerifier =
  (authToken: string, url: string): VerifyReceipt =>
  (form, signature) => {
    if (!mayBeSignature(signature) || !twilio.validateRequest(authToken, signature, url, { ...form })) return null;
    const status = form['MessageStatus'] ?? '';
    const failed = status === 'undelivered' || status === 'failed';
    return {
      providerId: form['MessageSid'] ?? '',
      outcome: status === 'delivered' ? 'DELIVERED' : failed ? 'FAILED' : null,
      reason: failed
        ? `TWILIO_${/^\d{1,6}$/.test(form['ErrorCode'] ?? '') ? form['ErrorCode'] : status.toUpperCase()}`
        : null,
    };
  };
