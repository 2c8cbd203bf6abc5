import { createRoute } from '@hono/zod-openapi';
import { getNotification, notificationContent } from '../../domain/messages/resource.ts';
import { getTemplate, listTemplates, previewTemplate, saveVersion } from '../../domain/messages/template-versions.ts';
import { createdFixed, found } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { agentOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one, refusals } from '../schemas/envelope.ts';
import {
  NotificationContent,
  Preview,
  PreviewRequest,
  SavedTemplate,
  TemplateDetail,
  TemplateDraft,
  TemplateParams,
  TemplateSummary,
} from '../schemas/templates.ts';

const API = '/api/production';
const PATH = `${API}/templates`;
const tags = ['Notifications'];
const params = TemplateParams;
const BAD_TEXT = ['NOT_FOUND', 'TEMPLATE_INVALID', 'TEMPLATE_UNKNOWN_VARIABLE', 'TEMPLATE_TOO_LONG'] as const;

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'What each message may say, in which languages there is a text, and in which there is none',
  responses: { 200: answer('The templates', one(TemplateSummary.array())), ...refusals() },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{key}`,
  tags,
  summary: 'Get a template with its texts and all versions of them',
  request: { params },
  responses: { 200: answer('The template', one(TemplateDetail)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const save = createRoute({
  method: 'post',
  path: `${PATH}/{key}/versions`,
  tags,
  summary: 'Save a text; it counts from the next message on',
  request: {
    params,
    body: jsonOf(TemplateDraft, {
      locale: 'en',
      subject: 'Reservation Confirmed - {propertyName}',
      message: 'Dear {guestName}, your reservation for {propertyName} is confirmed for {checkInDate}.',
    }),
  },
  responses: { 201: answer('Saved', one(SavedTemplate)), ...bodyRefusals(...BAD_TEXT) },
});
const preview = createRoute({
  method: 'post',
  path: `${PATH}/{key}/preview`,
  tags,
  summary: 'See a message as its recipient would, with examples or with the facts of a stay',
  request: { params, body: jsonOf(PreviewRequest, { locale: 'ar', reservationId: 'reservation-1' }) },
  responses: { 200: answer('The message', one(Preview)), ...bodyRefusals(...BAD_TEXT, 'RESERVATION_NOT_FOUND') },
});
const content = createRoute({
  method: 'get',
  path: `${API}/notifications/{id}/content`,
  tags,
  summary: 'What a message said, without what opens doors',
  request: { params: IdParam },
  responses: { 200: answer('The text', one(NotificationContent)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});

export function registerTemplates(register: Register, services: Services): void {
  const { db } = services;
  register(list, async (c) => found(c, await listTemplates(db)));
  register(read, async (c) => found(c, await getTemplate(db, c.req.valid('param').key)));
  register.mutation(save, (c, once) => {
    const { key } = c.req.valid('param');
    const draft = c.req.valid('json');
    return once.change(async (tx) => {
      const saved = await saveVersion(tx, key, draft, authorOf(c));
      return createdFixed(c, { id: `${saved.locale}-${saved.version}`, ...saved }, 'Template saved');
    });
  });
  // It changes nothing; a key is honoured all the same, as by every POST.
  register.mutation(preview, async (c, once) => {
    const shown = await previewTemplate(db, c.req.valid('param').key, c.req.valid('json'));
    return once.change(async () => found(c, shown));
  });
  register(content, async (c) => {
    const { id } = c.req.valid('param');
    await getNotification(db, id, agentOf(c));
    return found(c, await notificationContent(db, id));
  });
}
