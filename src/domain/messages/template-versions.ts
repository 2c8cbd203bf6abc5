import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Channel } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { nearest } from '../../kernel/nearest.ts';
import { type Author, recordChange } from '../audit/record.ts';
import { insertNotification } from '../notifications/store/order.ts';
import { loadFacts, valuesOf } from './delivery-facts.ts';
import { examplesOf } from './examples.ts';
import { canonicalLocale, LANGUAGES, languageOf } from './locales.ts';
import { channelsOf } from './matrix-table.ts';
import { parseTemplate, renderMessage, TemplateError, type TemplateText, variablesOf } from './render.ts';
import { MAX_SEGMENTS, type Segments, segmentsOf } from './segments.ts';
import { hintsIn, type TemplateHint } from './template-hints.ts';
import { TEMPLATES, type Template, templateOf, VARIABLES } from './templates.ts';
import { builtInText, loadSavedTexts, type SavedTexts, textToSend } from './texts.ts';
import { CATALOGUE, EXAMPLES, isOptional } from './variables/index.ts';

/** Texts as people see and change them (domain.md 13). A saved version counts from the next sending on. */

export interface TemplateView {
  readonly key: string;
  readonly event: string;
  readonly recipientType: string;
  readonly channels: readonly Channel[];
  readonly variables: readonly {
    readonly name: string;
    readonly type: string;
    readonly example: string;
    readonly optional: boolean;
  }[];
  /** Locales that have a text; version 0 is the built-in one. */
  readonly locales: readonly { readonly locale: string; readonly version: number }[];
  /** Languages that guests and owners would get in English. */
  readonly missingTranslations: readonly string[];
}

/** Every text in the order of the settings, with its languages and those that are missing. */
export async function listTemplates(db: Db): Promise<readonly TemplateView[]> {
  const keys = Object.keys(TEMPLATES);
  const [saved, spoken] = await Promise.all([loadSavedTexts(db, keys), spokenLanguages(db)]);
  return keys.map((key) => viewOf(key, knownTemplate(key), saved, spoken));
}

/** Languages of guests and owners, with those that all texts are in. */
async function spokenLanguages(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ language: string }>`
    SELECT DISTINCT lower(split_part(locale, '-', 1)) AS language FROM (SELECT locale FROM guest UNION SELECT locale FROM owner) l
     WHERE locale IS NOT NULL ORDER BY 1`.execute(db);
  return [...new Set([...LANGUAGES, ...rows.map(({ language }) => language)])];
}

function viewOf(key: string, template: Template, saved: SavedTexts, spoken: readonly string[]): TemplateView {
  const builtIn = LANGUAGES.flatMap((locale) => builtInText(key, locale) ?? []);
  const own = [...saved].flatMap(([name, text]) => (name.startsWith(`${key} `) ? [text] : []));
  const locales = new Map([...builtIn, ...own].map(({ locale, version }) => [locale, version]));
  const has = (language: string) => [...locales.keys()].some((locale) => languageOf(locale) === language);
  const isForStrangers = template.recipientType === 'GUEST' || template.recipientType === 'OWNER';
  return {
    key,
    event: template.event,
    recipientType: template.recipientType,
    channels: channelsOf(template),
    variables: variablesOfEvent(template.event),
    locales: [...locales].map(([locale, version]) => ({ locale, version })),
    missingTranslations: isForStrangers ? spoken.filter((language) => !has(language)) : [],
  };
}

const variablesOfEvent = (event: string): TemplateView['variables'] =>
  (VARIABLES[event] ?? []).map((name) => {
    const { type, example, optional } = CATALOGUE[name];
    return { name, type, example, optional };
  });

export interface VersionView {
  readonly locale: string;
  readonly version: number;
  readonly subject: string | null;
  readonly message: string;
  readonly createdBy: string;
  readonly createdAt: string;
}

/** With every version that was saved, newest first, and the built-in texts as they are written. Throws `NOT_FOUND`. */
export async function getTemplate(db: Db, key: string) {
  const template = knownTemplate(key);
  const [saved, spoken, rows] = await Promise.all([
    loadSavedTexts(db, [key]),
    spokenLanguages(db),
    db
      .selectFrom('message_template')
      .selectAll()
      .where('key', '=', key)
      .orderBy('created_at', 'desc')
      .orderBy('version', 'desc')
      .limit(200)
      .execute(),
  ]);
  const builtIn = LANGUAGES.flatMap((locale) => {
    const text = builtInText(key, locale);
    return text ? [{ locale, subject: sourceOf(text.subject), message: sourceOf(text.message) }] : [];
  });
  const versions = rows.map(
    (row): VersionView => ({
      locale: row.locale,
      version: row.version,
      subject: row.subject,
      message: row.message,
      createdBy: row.created_by,
      createdAt: row.created_at.toISOString(),
    }),
  );
  return { ...viewOf(key, template, saved, spoken), builtIn, versions };
}

/** A parsed template as it was written. */
const sourceOf = (template: TemplateText): string =>
  template
    .map((part) => {
      if (part.kind === 'text') return part.text.replaceAll('{', '{{').replaceAll('}', '}}');
      return part.fallback === null ? `{${part.name}}` : `{${part.name}|${part.fallback}}`;
    })
    .join('');

export interface TemplateDraft {
  readonly locale: string;
  /** Of a mail. */
  readonly subject?: string | undefined;
  readonly message: string;
}

/**
 * Throws `NOT_FOUND`, `TEMPLATE_INVALID`, `TEMPLATE_UNKNOWN_VARIABLE` with near matches, and `TEMPLATE_TOO_LONG` for an SMS
 * that would be more than three.
 */
export async function saveVersion(
  tx: Tx,
  key: string,
  draft: TemplateDraft,
  author: Author,
): Promise<VersionView & { readonly hints: readonly TemplateHint[] }> {
  const template = knownTemplate(key);
  const locale = canonicalLocale(draft.locale);
  checkDraft(template, draft);
  // Two people who save at once get two versions, one after the other.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`${key} ${locale}`}, 0))`.execute(tx);
  const last = await tx
    .selectFrom('message_template')
    .select('version')
    .where('key', '=', key)
    .where('locale', '=', locale)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  const row = await tx
    .insertInto('message_template')
    .values({
      key,
      locale,
      version: (last?.version ?? 0) + 1,
      subject: draft.subject ?? null,
      message: draft.message,
      created_by: author.actor,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'template',
    id: `${key}:${locale}`,
    event: 'TEMPLATE_SAVED',
    fields: ['message', ...(draft.subject === undefined ? [] : ['subject'])],
    version: row.version,
  });
  const { version, subject, message, created_at } = row;
  const hints = hintsIn(template.event, draft);
  return { locale, version, subject, message, createdBy: row.created_by, createdAt: created_at.toISOString(), hints };
}

function checkDraft(template: Template, draft: TemplateDraft) {
  const channels = channelsOf(template);
  if (draft.subject === undefined)
    throw new RoomyError('TEMPLATE_INVALID', { details: { field: 'subject', problem: 'is required' } });
  const known: readonly string[] = VARIABLES[template.event] ?? [];
  assertSpelling([draft.subject, draft.message], known);
  const parts = { subject: parse('subject', draft.subject), message: parse('message', draft.message) };
  const unknown = [...new Set([...variablesOf(parts.subject), ...variablesOf(parts.message)])]
    .filter((name) => !known.includes(name))
    .map((name) => ({ name, near: nearest(name, known) }));
  if (unknown.length > 0) throw new RoomyError('TEMPLATE_UNKNOWN_VARIABLE', { details: { unknown, known } });
  const sms = channels.includes('SMS') ? asSms(draft.locale, parts, examplesOf(template.event, draft.locale)) : null;
  if (sms && sms.segments > MAX_SEGMENTS) {
    throw new RoomyError('TEMPLATE_TOO_LONG', { details: { ...segmentsOnly(sms), allowed: MAX_SEGMENTS } });
  }
  return parts;
}

const segmentsOnly = ({ encoding, units, segments }: Segments): Segments => ({ encoding, units, segments });

function parse(field: string, source: string): TemplateText {
  if (/\b(?:http:\/\/|javascript:|data:)/i.test(source)) {
    throw new RoomyError('TEMPLATE_INVALID', { details: { field, problem: 'addresses must be https' } });
  }
  try {
    const parts = parseTemplate(source);
    const blank = parts.find((part) => part.kind === 'variable' && part.fallback?.trim() === '');
    if (blank) throw new TemplateError('a default must not be empty');
    return parts;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new RoomyError('TEMPLATE_INVALID', { details: { field, problem: error.message } });
  }
}

/** `{guest_name}` or `{ guestName }` is no variable, but somebody meant one. */
function assertSpelling(sources: readonly string[], known: readonly string[]): void {
  const names = sources.flatMap((source) =>
    [...source.replaceAll(/\{\{|\}\}/g, '').matchAll(/\{([^{}|]{1,60})(?:\|[^{}]*)?\}/g)].map(([, name = '']) => name),
  );
  const unknown = [...new Set(names)]
    .filter((name) => !/^[A-Za-z][A-Za-z0-9]*$/.test(name))
    .map((name) => ({ name, near: nearest(name.replaceAll(/[^A-Za-z0-9]/g, ''), known) }));
  if (unknown.length > 0) throw new RoomyError('TEMPLATE_UNKNOWN_VARIABLE', { details: { unknown, known } });
}

interface TextParts {
  readonly subject: TemplateText;
  readonly message: TemplateText;
}
function asSms(locale: string, parts: TextParts, values: Readonly<Record<string, string | null>>) {
  const rendered = renderMessage({ locale, ...parts }, 'SMS', values);
  return 'missing' in rendered ? null : { text: rendered.text, ...segmentsOf(rendered.text) };
}

export interface PreviewRequest {
  readonly locale: string;
  /** A draft; without it, what would be sent now. */
  readonly subject?: string | undefined;
  readonly message?: string | undefined;
  /** With this stay's facts instead of examples. */
  readonly reservationId?: string | undefined;
}

/** As the recipient would get it. Throws as `saveVersion`, and `RESERVATION_NOT_FOUND`. Nothing is kept. */
export async function previewTemplate(db: Db, key: string, request: PreviewRequest) {
  const template = knownTemplate(key);
  const { locale, subject, message, reservationId } = request;
  const current = textToSend(key, locale, await loadSavedTexts(db, [key]));
  const text =
    message === undefined || !current
      ? current
      : {
          locale,
          version: null,
          ...checkDraft(template, { locale, subject: subject ?? sourceOf(current.subject), message }),
        };
  if (!text) throw notFound();
  const facts = reservationId === undefined ? {} : await factsOfStay(db, key, template, reservationId, text.locale);
  const values = { ...examplesOf(template.event, text.locale), ...facts };
  const mail = renderMessage(text, 'EMAIL', values);
  return {
    locale: text.locale,
    version: text.version,
    hints: hintsIn(template.event, { subject: sourceOf(text.subject), message: sourceOf(text.message) }),
    mail: 'missing' in mail ? null : mail,
    sms: channelsOf(template).includes('SMS') ? asSms(text.locale, text, values) : null,
  };
}

/** The values of a message about the stay, by the very queries of the delivery: its row is rolled back. */
async function factsOfStay(db: Db, key: string, template: Template, reservationId: string, locale: string) {
  class Asked extends Error {
    readonly values: Readonly<Record<string, string | null>>;
    constructor(values: Readonly<Record<string, string | null>>) {
      super('asked');
      this.values = values;
    }
  }
  try {
    await db.transaction().execute(async (tx) => {
      const stay = await tx
        .selectFrom('reservation as r')
        .innerJoin('property as p', 'p.id', 'r.property_id')
        .select(['r.guest_id', 'p.owner_id'])
        .where('r.id', '=', reservationId)
        .executeTakeFirst();
      if (!stay) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
      const id = newId('preview');
      const recipient = template.recipientType === 'OWNER' ? stay.owner_id : stay.guest_id;
      await insertNotification(tx, {
        id,
        effect_key: id,
        event: template.event,
        template: key,
        channel: 'EMAIL',
        recipient_type: template.recipientType,
        recipient_id: recipient ?? 'nobody',
        reservation_id: reservationId,
      });
      const [facts] = await loadFacts(tx, [id]);
      if (!facts) throw new Asked({});
      // A link is for the guest alone: who reads this sees that there is one.
      const link = facts.linkedGuestId === null ? {} : { stayUrl: EXAMPLES['stayUrl'] ?? null };
      throw new Asked({ ...valuesOf(facts, locale), ...link });
    });
  } catch (error) {
    if (!(error instanceof Asked)) throw error;
    // A door code is for the guest alone.
    const { accessCode: _, ...values } = error.values;
    // An example of what the stay does not have would be a line that is not sent.
    return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== null || isOptional(name)));
  }
  return {};
}

function knownTemplate(key: string): Template {
  const template = templateOf(key);
  if (!template) throw notFound();
  return template;
}
const notFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Template not found' });
