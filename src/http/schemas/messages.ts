import { z } from '@hono/zod-openapi';
import { CHANGE_NOTHING, Id, isChange, LocalTime, line } from './common.ts';

export const Channel = z.enum(['EMAIL', 'SMS']);
export const RecipientType = z.enum(['GUEST', 'OWNER', 'STAFF', 'OPS']);

const rules = {
  quietFrom: LocalTime.openapi({ description: 'Local time of the recipient', example: '21:00' }),
  quietTo: LocalTime.openapi({ example: '09:00' }),
  lastCall: LocalTime.openapi({ description: 'When a message goes that would be too late in the morning' }),
  quietChannels: z.array(Channel).max(2),
  reviewDelayHours: z.int().min(24).max(720).openapi({ description: 'From a departure to the request for a review' }),
  reviewDespiteIncident: z.boolean().openapi({ description: 'Ask for a review although something is still broken' }),
  digestTime: LocalTime.openapi({ description: 'Local time of the property, when completed tasks come in one mail' }),
};
export const NotificationRules = z.object(rules).openapi('NotificationRules');
export const NotificationRuleChange = z
  .strictObject(rules)
  .partial()
  .refine(isChange, CHANGE_NOTHING)
  .openapi('NotificationRuleChange');

const setting = { event: line(64), recipientType: RecipientType, channel: Channel, enabled: z.boolean() };
export const NotificationSetting = z
  .object({ ...setting, required: z.boolean().openapi({ description: 'It cannot be switched off' }) })
  .openapi('NotificationSetting');
export const NotificationSettingChange = z.strictObject(setting).openapi('NotificationSettingChange');

const optOuts = z
  .array(
    z.strictObject({ event: line(64).openapi({ description: '`*`: whatever may be declined' }), channel: Channel }),
  )
  .max(100);
const preferences = {
  optOuts,
  digest: z
    .boolean()
    .optional()
    .openapi({ description: 'Of staff: completed tasks come in one mail a day, at `digestTime`' }),
};
export const NotificationPreferences = z.object(preferences).openapi('NotificationPreferences');
export const NotificationPreferencesChange = z.strictObject(preferences).openapi('NotificationPreferencesChange');
export const PreferenceParams = z.strictObject({ party: z.enum(['guests', 'owners', 'staff']), id: Id });

export const Resend = z.strictObject({ channel: Channel.optional() }).openapi('Resend');

export const Forecast = z
  .object({
    reservationId: z.string(),
    status: z.string(),
    timeZone: z.string(),
    wouldBeRefused: z
      .string()
      .nullable()
      .openapi({ description: 'The code with which a confirmation would be refused now' }),
    messages: z.array(
      z.object({
        event: z.string(),
        channel: Channel,
        recipientType: RecipientType,
        recipientId: z.string().nullable().openapi({ description: 'null: whoever it will be' }),
        on: z.string().nullable().openapi({ description: 'What causes it; null: it was not planned, it came' }),
        at: z.iso.datetime().nullable().openapi({ description: 'When; null: as soon as it is caused' }),
        why: z.string(),
        status: z.string().openapi({ description: 'EXPECTED, or the state of the message that there is' }),
        reason: z.string().nullable(),
        notificationId: z.string().nullable(),
        taskId: z.string().nullable(),
      }),
    ),
    tasks: z.array(
      z.object({
        type: z.string(),
        occurrence: z.string(),
        scheduledAt: z.iso.datetime(),
        endsAt: z.iso.datetime(),
        mustFinishBy: z.iso.datetime().nullable(),
        why: z.string(),
        status: z.string(),
        assigneeId: z.string().nullable(),
        taskId: z.string().nullable(),
      }),
    ),
  })
  .openapi('Forecast');
