import type { Db } from '../../db/client.ts';
import { loadFacts, valuesOf } from './delivery-facts.ts';
import { offerText, offerTextsOf } from './offer-texts.ts';
import { renderMessage, variablesOf } from './render.ts';
import { loadSavedTexts, textToSend } from './texts.ts';
import { withoutSecrets } from './without-secrets.ts';

/** A message in its words, as it would be sent now: without what would open a door, a page or an account. */
export interface Words {
  readonly locale: string;
  /** Null for SMS. */
  readonly subject: string | null;
  readonly text: string;
}
export interface PreviewSettings {
  /** Of the API, as people reach it. */
  readonly publicUrl: string;
  readonly agencyTimeZone: string;
}

/** Stands for the link to a stay, which only a message that is sent gets. */
const NO_TOKEN = 'stay-link';

/** The words of these messages, by id; those that lack a value, or have no text yet, are left out. */
export async function wordsOf(
  db: Db,
  ids: readonly string[],
  { publicUrl, agencyTimeZone }: PreviewSettings,
): Promise<ReadonlyMap<string, Words>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('notification')
    .select(['id', 'template', 'channel'])
    .where('id', 'in', ids)
    .execute();
  const facts = new Map((await loadFacts(db, ids)).map((one) => [one.id, one]));
  const saved = await loadSavedTexts(
    db,
    rows.flatMap(({ template }) => [template, ...offerTextsOf(template)]),
  );
  const words = rows.flatMap(({ id, template, channel }): readonly (readonly [string, Words])[] => {
    const found = facts.get(id);
    if (!found) return [];
    const known = { ...found, timeZone: found.timeZone ?? agencyTimeZone, stayToken: NO_TOKEN };
    const text = textToSend(offerText(template, known), known.locale, saved);
    if (!text) return [];
    const names = variablesOf([...text.subject, ...text.message]);
    const rendered = renderMessage(text, channel, valuesOf(known, text.locale, publicUrl, names));
    if ('missing' in rendered) return [];
    return [[id, { locale: text.locale, subject: rendered.subject, text: withoutSecrets(rendered.text, known) }]];
  });
  return new Map(words);
}
