import { html } from 'hono/html';
import { newId } from '../../kernel/ids.ts';
import type { Html } from '../layout.ts';
import { codeWords, type Frame, say } from './frame.ts';
import type { Word } from './words-en.ts';

/** The buttons and forms by which people act on stays. */

export const STAY_ACTS = ['confirm', 'check-in', 'check-out', 'cancel', 'payment', 'refunds'] as const;
export type StayAct = (typeof STAY_ACTS)[number];
/** Their names, as on their buttons. */
export const ACT_WORDS: Readonly<Record<StayAct, Word>> = {
  confirm: 'confirm',
  'check-in': 'check-in',
  'check-out': 'check-out',
  cancel: 'cancel',
  payment: 'takePayment',
  refunds: 'refunds',
};
/** What a form of an act asks for, by the names of the API. */
export const ACT_FIELDS: Readonly<Record<StayAct, readonly string[]>> = {
  confirm: [],
  'check-in': [],
  'check-out': [],
  cancel: ['reason'],
  payment: ['amount', 'currency', 'gatewayId', 'gatewayReference', 'paymentMethod', 'notes'],
  refunds: ['amount', 'currency', 'reason', 'bearer', 'notes'],
};

export const actAddress = (frame: Frame, id: string, act: StayAct): string =>
  `${frame.prefix}/console/stays/${encodeURIComponent(id)}/${act}`;

/** What keeps a second press from acting twice, and where it leads. */
export const keyField = (): Html => html`<input type="hidden" name="key" value="${newId('press')}">`;
/** The plan is asked for, and not the act. */
export const planField = html`<input type="hidden" name="plan" value="first">`;

/** A button on the page of a day, for one act that is done at once. `about`: whose stay, for those who hear the page. */
export const actButton = (frame: Frame, id: string, act: StayAct, about: string, date: string): Html =>
  html`<form method="post" action="${actAddress(frame, id, act)}" id="${act}-${id}">${keyField()}<input type="hidden" name="date" value="${date}"><button aria-label="${say(frame, ACT_WORDS[act])}: ${about}">${say(frame, ACT_WORDS[act])}</button></form>`;

/** A button that leads to the plan of an act, which asks for nothing. */
export const planButton = (frame: Frame, id: string, act: StayAct, about: string): Html =>
  html`<form method="post" action="${actAddress(frame, id, act)}">${planField}<button aria-label="${say(frame, ACT_WORDS[act])}: ${about}">${say(frame, ACT_WORDS[act])}</button></form>`;

/** The act itself, below its plan: with the same input. */
export const sureForm = (
  frame: Frame,
  {
    action,
    word,
    input,
  }: { readonly action: string; readonly word: Word; readonly input: Readonly<Record<string, string>> },
): Html =>
  html`<form method="post" action="${action}" class="act">${keyField()}${Object.entries(input).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}<button${word === 'cancel' ? html` class="danger"` : ''}>${say(frame, 'doIt')}: ${say(frame, word)}</button></form>`;

const folded = (frame: Frame, id: string, act: StayAct, fields: Html, before: Html | null = null): Html =>
  html`<details><summary>${say(frame, ACT_WORDS[act])}</summary>${before === null ? '' : html`<p>${before}</p>`}
<form method="post" action="${actAddress(frame, id, act)}" class="act">${planField}${fields}<button>${say(frame, 'seePlan')}</button></form></details>`;

/** Cancelling asks for a reason, which is kept with the stay. */
export const cancelForm = (frame: Frame, id: string, quote: Html | null): Html =>
  folded(
    frame,
    id,
    'cancel',
    html`<label>${say(frame, 'reason')} <input name="reason" required maxlength="64"></label>`,
    quote,
  );

/** The amount of a form, in major units of the currency of the stay. */
const sumField = (frame: Frame, currency: string, suggested: number | null): Html =>
  html`<input type="hidden" name="currency" value="${currency}"><label>${say(frame, 'amount')} (${currency}) <input name="amount" required inputmode="decimal" pattern="[0-9]+([.][0-9]+)?" maxlength="20" autocomplete="off" dir="ltr" value="${suggested === null ? '' : String(suggested)}"></label>`;
const notesField = (frame: Frame): Html =>
  html`<label>${say(frame, 'notes')} <input name="notes" maxlength="500"></label>`;

/** By a token or reference of a gateway: the number of a card has no field. */
export const paymentForm = (
  frame: Frame,
  id: string,
  asked: { readonly currency: string; readonly due: number | null; readonly gateways: readonly string[] },
): Html =>
  folded(
    frame,
    id,
    'payment',
    html`${sumField(frame, asked.currency, asked.due)}
<label>${say(frame, 'gateway')} <select name="gatewayId" required>${asked.gateways.map((gateway) => html`<option value="${gateway}">${gateway}</option>`)}</select></label>
<label>${say(frame, 'cardToken')} <input name="gatewayReference" required maxlength="255" autocomplete="off" spellcheck="false" dir="ltr"></label>
<label>${say(frame, 'method')} <input name="paymentMethod" maxlength="64"></label>${notesField(frame)}`,
  );

export const refundForm = (frame: Frame, id: string, currency: string): Html =>
  folded(
    frame,
    id,
    'refunds',
    html`${sumField(frame, currency, null)}<label>${say(frame, 'reason')} <input name="reason" required maxlength="200"></label>
<label>${say(frame, 'bearer')} <select name="bearer">${['SPLIT', 'AGENCY', 'OWNER'].map((bearer) => html`<option value="${bearer}">${codeWords(frame, bearer)}</option>`)}</select></label>${notesField(frame)}`,
  );

interface OnDay {
  readonly status: string;
  readonly parts: readonly string[];
  readonly warnings: readonly string[];
}
/** The act that the day of a stay asks for; null: none. */
export function actOfDay({ status, parts, warnings }: OnDay): 'confirm' | 'check-in' | 'check-out' | null {
  if (status === 'PENDING') return 'confirm';
  if (status === 'CONFIRMED' && parts.includes('ARRIVAL')) return 'check-in';
  const leaves = parts.includes('DEPARTURE') || warnings.includes('NOT_LEFT');
  return status === 'CHECKED_IN' && leaves ? 'check-out' : null;
}
