import { z } from 'zod';
import { apiUrl } from '../environment.ts';
import { messageChannel } from '../message-channel.ts';
import type { TwilioOptions } from './messenger.ts';

export const twilioChannel = messageChannel({
  id: 'twilio',
  channel: 'SMS',
  circuit: 'sms',
  environment: z.object({
    TWILIO_ACCOUNT_SID: z
      .string()
      .regex(/^AC[0-9a-f]{32}$/i, 'must be AC and 32 hex digits')
      .optional()
      .describe('The account'),
    TWILIO_AUTH_TOKEN: z.string().min(16).optional().describe('The token of the account'),
    TWILIO_FROM: z
      .string()
      .regex(/^(\+\d{6,15}|MG[0-9a-f]{32})$/i, 'must be a phone number like +15005550006, or MG and 32 hex digits')
      .optional()
      .describe('A phone number, or the SID of a messaging service'),
    TWILIO_API_URL: apiUrl.optional().describe('Only for a stand-in of the API'),
  }),
  neededVariables: ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'TWILIO_FROM'],
  settings: (environment, { webhookUrl }): TwilioOptions | null => {
    const { TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: authToken, TWILIO_FROM: from } = environment;
    if (accountSid === undefined || authToken === undefined || from === undefined) return null;
    return { accountSid, authToken, from, apiUrl: environment.TWILIO_API_URL ?? null, statusCallback: webhookUrl };
  },
  create: async (options) => (await import('./messenger.ts')).createTwilio(options),
  webhook: async ({ authToken, statusCallback }) =>
    statusCallback ? (await import('./receipts.ts')).twilioReceipts(authToken, statusCallback) : null,
});
