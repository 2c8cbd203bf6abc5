import { html } from 'hono/html';
import { formatLocaleOf, languageOf } from '../domain/messages/locales.ts';
import { formatDay, formatMoment, formatMoney } from '../domain/messages/print.ts';
import type { MyStay } from '../domain/stays/my-stays.ts';
import { parseMajor } from '../kernel/money.ts';
import type { Card } from './layout.ts';

/** A guest's own stay, by a link without an account: what `me/stays` answers, and nothing else. */

const ENGLISH = {
  title: 'Your stay',
  status: {
    PENDING: 'Not confirmed yet',
    CONFIRMED: 'Confirmed',
    CHECKED_IN: 'You are here',
    CHECKED_OUT: 'Over. Thank you for staying with us',
    CANCELLED: 'Cancelled',
    NO_SHOW: 'You did not arrive',
  },
  state: 'State',
  address: 'Address',
  arrival: 'Arrival',
  from: 'from',
  departure: 'Departure',
  until: 'until',
  guests: 'Guests',
  money: 'Money',
  price: 'Price',
  paid: 'Paid',
  refunded: 'Paid back to you',
  due: 'Still to pay',
  code: 'Door code',
  zone: 'Times are those of',
};
const ARABIC: typeof ENGLISH = {
  title: 'إقامتك',
  status: {
    PENDING: 'لم يتم التأكيد بعد',
    CONFIRMED: 'مؤكدة',
    CHECKED_IN: 'أنت هنا الآن',
    CHECKED_OUT: 'انتهت. شكراً لإقامتك معنا',
    CANCELLED: 'ملغاة',
    NO_SHOW: 'لم تصل',
  },
  state: 'الحالة',
  address: 'العنوان',
  arrival: 'الوصول',
  from: 'من الساعة',
  departure: 'المغادرة',
  until: 'حتى',
  guests: 'عدد الضيوف',
  money: 'المبالغ',
  price: 'السعر',
  paid: 'المدفوع',
  refunded: 'المبلغ المعاد إليك',
  due: 'المبلغ المتبقي',
  code: 'رمز الباب',
  zone: 'الأوقات بتوقيت',
};

/** `locale`: of the guest. */
export function stayPage(stay: MyStay, locale: string | null): Card {
  const language = languageOf(locale ?? 'en') === 'ar' ? 'ar' : 'en';
  const words = language === 'ar' ? ARABIC : ENGLISH;
  const format = formatLocaleOf(language, locale);
  const { property, access, currency } = stay;
  const row = (label: string, value: string) => html`<dt>${label}</dt><dd><bdi>${value}</bdi></dd>`;
  const money = (amount: number): string => formatMoney(parseMajor(amount, currency), format);
  /** A planned time may have a day of its own. */
  const at = (date: string, time: string, word: string): string => {
    const [day = date, clock = ''] = time.includes('T') ? time.split('T') : [date, time];
    return `${formatDay(day, format)}, ${word} ${clock}`;
  };
  return {
    title: words.title,
    language,
    content: html`<p class="soft"><bdi>${property.name}</bdi></p>
<dl>${row(words.state, words.status[stay.status])}
${property.address === null ? '' : row(words.address, property.address)}
${row(words.arrival, at(stay.checkInDate, stay.arrival, words.from))}
${row(words.departure, at(stay.checkOutDate, stay.departure, words.until))}
${stay.guestCount === null ? '' : row(words.guests, String(stay.guestCount))}
${
  access === null
    ? ''
    : html`<dt>${words.code}</dt><dd><strong><bdi>${access.code}</bdi></strong> (${words.until} <bdi>${formatMoment(new Date(access.until), format, property.timeZone)}</bdi>)</dd>`
}</dl>
<h2>${words.money}</h2>
<dl>${row(words.price, money(stay.totalAmount))}
${row(words.paid, money(stay.paid))}
${stay.refunded === 0 ? '' : row(words.refunded, money(stay.refunded))}
${row(words.due, money(stay.due))}</dl>
<p class="soft">${words.zone} <bdi>${property.timeZone}</bdi>. <bdi>${stay.id}</bdi></p>`,
  };
}
