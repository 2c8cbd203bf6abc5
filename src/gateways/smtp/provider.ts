import { z } from 'zod';
import { url } from '../environment.ts';
import { messageChannel } from '../message-channel.ts';
import type { SmtpOptions } from './messenger.ts';

export const smtpChannel = messageChannel({
  id: 'smtp',
  channel: 'EMAIL',
  circuit: 'mail',
  environment: z.object({
    SMTP_URL: url('smtp:', 'smtps:').optional().describe('Mail server'),
    MAIL_FROM: z.string().default('Roomy <no-reply@roomy.example>').describe('Sender of all mails'),
  }),
  neededVariables: ['SMTP_URL'],
  settings: ({ SMTP_URL, MAIL_FROM }): SmtpOptions | null =>
    SMTP_URL === undefined ? null : { url: SMTP_URL, from: MAIL_FROM },
  create: async (options) => (await import('./messenger.ts')).createSmtp(options),
});
