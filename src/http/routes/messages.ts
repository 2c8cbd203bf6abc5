import { createRoute } from '@hono/zod-openapi';
import {
  changeMessageSetting,
  listMessageSettings,
  readPreferences,
  setPreferences,
} from '../../domain/messages/preferences.ts';
import { resendNotification } from '../../domain/messages/resend.ts';
import { getNotification } from '../../domain/messages/resource.ts';
import { changeMessageRules, readMessageRuleView } from '../../domain/messages/rules.ts';
import { getGuest } from '../../domain/people/guests.ts';
import { getOwner } from '../../domain/people/owners.ts';
import { getStaff } from '../../domain/people/staff.ts';
import { forecastStay } from '../../domain/stays/forecast.ts';
import { found } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { assertOwnStay } from '../own-stay.ts';
import { agentOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals } from '../schemas/envelope.ts';
import {
  Forecast,
  NotificationPreferences,
  NotificationPreferencesChange,
  NotificationRuleChange,
  NotificationRules,
  NotificationSetting,
  NotificationSettingChange,
  PreferenceParams,
  Resend,
} from '../schemas/messages.ts';
import { Notification } from '../schemas/records.ts';

const API = '/api/production';
const tags = ['Notifications'];
const PARTIES = { guests: 'GUEST', owners: 'OWNER', staff: 'STAFF' } as const;
const READS = { guests: getGuest, owners: getOwner, staff: getStaff } as const;

const forecast = createRoute({
  method: 'get',
  path: `${API}/reservations/{id}/forecast`,
  tags,
  summary: 'Every message and task that this booking has caused and will cause, and why',
  request: { params: IdParam },
  responses: { 200: answer('The forecast', one(Forecast)), ...refusals('VALIDATION_FAILED', 'RESERVATION_NOT_FOUND') },
});
const resend = createRoute({
  method: 'post',
  path: `${API}/notifications/{id}/resend`,
  tags,
  summary: 'Send a message once more, over the same channel or another',
  request: { params: IdParam, body: jsonOf(Resend, {}) },
  responses: {
    200: answer('The new message', one(Notification)),
    ...bodyRefusals('NOT_FOUND', 'INVALID_STATE_TRANSITION'),
  },
});
const readRules = createRoute({
  method: 'get',
  path: `${API}/notification-rules`,
  tags,
  summary: 'Quiet hours, and when guests are asked for a review',
  responses: { 200: answer('The rules', one(NotificationRules)), ...refusals() },
});
const changeRules = createRoute({
  method: 'patch',
  path: `${API}/notification-rules`,
  tags,
  summary: 'Change the quiet hours; reminders that are planned move along',
  request: { body: jsonOf(NotificationRuleChange, { quietFrom: '22:00' }) },
  responses: { 200: answer('Changed', one(NotificationRules)), ...bodyRefusals() },
});
const settings = createRoute({
  method: 'get',
  path: `${API}/notification-settings`,
  tags,
  summary: 'Who gets what over which channel, and what of it is switched off',
  responses: { 200: answer('The matrix', one(NotificationSetting.array())), ...refusals() },
});
const changeSetting = createRoute({
  method: 'put',
  path: `${API}/notification-settings`,
  tags,
  summary: 'Switch a message off or on for everybody',
  request: {
    body: jsonOf(NotificationSettingChange, {
      event: 'REVIEW_REQUEST',
      recipientType: 'GUEST',
      channel: 'EMAIL',
      enabled: false,
    }),
  },
  responses: { 200: answer('The matrix', one(NotificationSetting.array())), ...bodyRefusals('MESSAGE_REQUIRED') },
});
const preferences = createRoute({
  method: 'get',
  path: `${API}/{party}/{id}/notification-preferences`,
  tags,
  summary: 'What a guest, an owner or a staff member does not want to get',
  request: { params: PreferenceParams },
  responses: {
    200: answer('The preferences', one(NotificationPreferences)),
    ...refusals('VALIDATION_FAILED', 'NOT_FOUND'),
  },
});
const changePreferences = createRoute({
  method: 'put',
  path: `${API}/{party}/{id}/notification-preferences`,
  tags,
  summary: 'Say what a guest, an owner or a staff member does not want to get; replaces what was said before',
  request: {
    params: PreferenceParams,
    body: jsonOf(NotificationPreferencesChange, { optOuts: [{ event: '*', channel: 'SMS' }] }),
  },
  responses: {
    200: answer('The preferences', one(NotificationPreferences)),
    ...bodyRefusals('NOT_FOUND', 'MESSAGE_REQUIRED'),
  },
});

export function registerMessages(register: Register, services: Services): void {
  const { db } = services;
  register(forecast, async (c) => {
    const { id } = c.req.valid('param');
    await assertOwnStay(c, db, id);
    return found(c, await forecastStay(db, id));
  });
  register.mutation(resend, (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    return once.change(async (tx) => {
      await getNotification(tx, id, agentOf(c));
      return found(c, await resendNotification(tx, id, body.channel, authorOf(c)), 'The message is sent once more');
    });
  });
  register(readRules, async (c) => found(c, await readMessageRuleView(db)));
  register.mutation(changeRules, (c, once) => {
    const change = c.req.valid('json');
    return once.change(async (tx) => found(c, await changeMessageRules(tx, change, authorOf(c))));
  });
  register(settings, async (c) => found(c, await listMessageSettings(db)));
  register.mutation(changeSetting, (c, once) => {
    const change = c.req.valid('json');
    return once.change(async (tx) => found(c, await changeMessageSetting(tx, change, authorOf(c))));
  });
  register(preferences, async (c) => {
    const { party, id } = c.req.valid('param');
    // A person who is not the agent's to see has no preferences for the agent either.
    await READS[party](db, id, agentOf(c));
    return found(c, await readPreferences(db, PARTIES[party], id));
  });
  register.mutation(changePreferences, (c, once) => {
    const { party, id } = c.req.valid('param');
    const wanted = c.req.valid('json');
    return once.change(async (tx) => found(c, await setPreferences(tx, PARTIES[party], id, wanted, authorOf(c))));
  });
}
