import type { TaskType } from '../../db/schema.ts';

/** Phrases that are values in a text: what a task is, and why a payment failed. */
export interface Phrases {
  /** The kind of a task, without the stay that it is about. */
  readonly work: Readonly<Record<TaskType, string>>;
  readonly reasons: ReadonlyMap<string, string>;
  readonly otherReason: string;
  /** Of work that had to give way to an emergency: at its new time, which ends the text, or for somebody else to do. */
  readonly newTime: string;
  readonly notYours: string;
  /** The part of the money that a guest gets back who cancels by a moment; `percent` and `until` as they are printed. */
  readonly refunds: {
    /** Of what was paid; 100 % of the price kept by nobody. */
    readonly all: string;
    readonly ofPaid: (percent: string) => string;
    /** Where a part of the price is kept, whatever was paid. */
    readonly lessPrice: (kept: string) => string;
    readonly first: (what: string, until: string) => string;
    readonly further: (what: string, until: string) => string;
    readonly afterwards: string;
    readonly never: string;
    readonly between: string;
    /** Of a day and its time. */
    readonly beside: string;
  };
}

export const ENGLISH: Phrases = {
  work: {
    CLEANING: 'cleaning',
    CHECK_IN: 'check-in meeting',
    CHECK_OUT: 'check-out meeting',
    INSPECTION: 'inspection',
    MAINTENANCE: 'maintenance',
    EMERGENCY: 'emergency repair',
    FINANCE: 'finance',
  },
  reasons: new Map([
    ['INSUFFICIENT_FUNDS', 'there was not enough money on the card'],
    ['CARD_DECLINED', 'the card was declined'],
    ['EXPIRED_CARD', 'the card has expired'],
    ['INCORRECT_CVC', 'the security code of the card was wrong'],
    ['AUTHENTICATION_REQUIRED', 'your bank asks you to confirm the payment'],
    ['GATEWAY_DOWN', 'the payment service could not be reached'],
    ['GATEWAY_UNAVAILABLE', 'the payment service could not be reached'],
    ['CIRCUIT_OPEN', 'the payment service could not be reached'],
    ['STEP_TIMEOUT', 'the payment service did not answer in time'],
  ]),
  otherReason: 'the payment could not be completed',
  newTime: 'its new time is',
  notYours: 'it is no longer yours',
  refunds: {
    all: 'all that you paid',
    ofPaid: (percent) => `${percent} of what you paid`,
    lessPrice: (kept) => `what you paid less ${kept} of the price`,
    first: (what, until) => `${what} is refunded until ${until}`,
    further: (what, until) => `${what} until ${until}`,
    afterwards: 'nothing after that',
    never: 'nothing is refunded',
    between: '; ',
    beside: ', ',
  },
};

export const ARABIC: Phrases = {
  work: {
    CLEANING: 'تنظيف',
    CHECK_IN: 'استقبال الضيف',
    CHECK_OUT: 'تسليم المغادرة',
    INSPECTION: 'فحص',
    MAINTENANCE: 'صيانة',
    EMERGENCY: 'إصلاح طارئ',
    FINANCE: 'مالية',
  },
  reasons: new Map([
    ['INSUFFICIENT_FUNDS', 'رصيد البطاقة غير كافٍ'],
    ['CARD_DECLINED', 'رُفضت البطاقة'],
    ['EXPIRED_CARD', 'انتهت صلاحية البطاقة'],
    ['INCORRECT_CVC', 'رمز أمان البطاقة غير صحيح'],
    ['AUTHENTICATION_REQUIRED', 'يطلب مصرفك تأكيد الدفع'],
    ['GATEWAY_DOWN', 'تعذّر الوصول إلى خدمة الدفع'],
    ['GATEWAY_UNAVAILABLE', 'تعذّر الوصول إلى خدمة الدفع'],
    ['CIRCUIT_OPEN', 'تعذّر الوصول إلى خدمة الدفع'],
    ['STEP_TIMEOUT', 'لم تُجب خدمة الدفع في الوقت المناسب'],
  ]),
  otherReason: 'تعذّر إتمام الدفع',
  newTime: 'موعدها الجديد',
  notYours: 'لم تعد من مهامك',
  refunds: {
    all: 'كامل ما دفعته',
    ofPaid: (percent) => `${percent} مما دفعته`,
    lessPrice: (kept) => `ما دفعته ناقصاً ${kept} من السعر`,
    first: (what, until) => `يُسترد ${what} حتى ${until}`,
    further: (what, until) => `${what} حتى ${until}`,
    afterwards: 'ولا شيء بعد ذلك',
    never: 'لا يُسترد شيء',
    between: '؛ ',
    beside: '، ',
  },
};
