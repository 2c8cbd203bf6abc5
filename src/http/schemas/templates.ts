import { z } from '@hono/zod-openapi';
import { refersTo } from '../references.ts';
import { secret } from '../secrets.ts';
import { Id, Locale, prose } from './common.ts';
import { Channel, RecipientType } from './messages.ts';

export const TemplateParams = z.strictObject({
  key: z
    .string()
    .max(80)
    .regex(/^[a-z][a-z-]*\.[a-z]+@\d{1,4}$/, 'must be like reservation-confirmed.guest@1'),
});
/** One line; it becomes a header of a mail. */
const subject = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'must not contain control characters');
const message = prose(10_000).refine((text) => text.trim() !== '', 'must not be blank');
export const TemplateDraft = z
  .strictObject({ locale: Locale, subject: subject.optional(), message })
  .openapi('TemplateDraft');
export const PreviewRequest = z
  .strictObject({
    locale: Locale.default('en'),
    subject: subject.optional(),
    message: message.optional(),
    reservationId: refersTo(Id, 'reservation', 'read').optional(),
  })
  .openapi('PreviewRequest');

const template = {
  key: z.string(),
  event: z.string(),
  recipientType: RecipientType,
  channels: z.array(Channel),
  variables: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      example: z.string(),
      optional: z.boolean().openapi({ description: 'A line that names it is left out where there is no value' }),
    }),
  ),
  locales: z.array(z.object({ locale: z.string(), version: z.int().openapi({ description: '0: the built-in text' }) })),
  missingTranslations: z.array(z.string()),
};
export const TemplateSummary = z.object(template).openapi('TemplateSummary');
export const TemplateVersion = z
  .object({
    locale: z.string(),
    version: z.int(),
    subject: z.string().nullable(),
    message: z.string(),
    createdBy: z.string(),
    createdAt: z.iso.datetime(),
  })
  .openapi('TemplateVersion');
const hints = z
  .array(z.object({ field: z.enum(['subject', 'message']), written: z.string(), suggested: z.string() }))
  .openapi({
    description:
      'What is written as a variable of another system, such as `{{guestName}}`, and is printed as it stands',
  });
export const SavedTemplate = TemplateVersion.extend({ hints }).openapi('SavedTemplate');
export const TemplateDetail = z
  .object({
    ...template,
    builtIn: z.array(z.object({ locale: z.string(), subject: z.string(), message: z.string() })),
    versions: z.array(TemplateVersion),
  })
  .openapi('TemplateDetail');
export const Preview = z
  .object({
    locale: z.string(),
    version: z.int().nullable().openapi({ description: 'null: the draft' }),
    hints,
    // With a stay's facts it names a guest, and may hold a link that opens something.
    mail: secret(
      z
        .object({ subject: z.string().nullable(), text: z.string(), html: z.string().nullable() })
        .nullable()
        .openapi({ description: 'null: a value is missing' }),
    ),
    sms: z
      .object({ text: z.string(), encoding: z.enum(['GSM-7', 'UCS-2']), units: z.int(), segments: z.int() })
      .nullable(),
  })
  .openapi('Preview');
export const NotificationContent = z
  .object({
    subject: z.string().nullable(),
    body: z.string(),
    locale: z.string().nullable(),
    templateVersion: z.int().nullable(),
  })
  .openapi('NotificationContent');
