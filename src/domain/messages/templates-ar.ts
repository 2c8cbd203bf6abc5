import type { TemplateKey } from './templates.ts';

/** What guests and owners read in Arabic; the keys and the variables are those of the English texts. */
export const ARABIC: Readonly<Partial<Record<TemplateKey, { readonly subject: string; readonly message: string }>>> = {
  'reservation-confirmed.guest@1': {
    subject: 'تم تأكيد الحجز - {propertyName}',
    message: 'عزيزي {guestName}، تم تأكيد حجزك في {propertyName} بتاريخ {checkInDate}.',
  },
  'reservation-confirmed-details.guest@1': {
    subject: 'تم تأكيد الحجز - {propertyName}',
    message: `عزيزي {guestName}، تم تأكيد حجزك في {propertyName} بتاريخ {checkInDate}.

الوصول: {checkInDate}، من الساعة {arrivalTime}
المغادرة: {checkOutDate}، حتى الساعة {departureTime}
العنوان: {address}

السعر: {price}
المدفوع: {paid}
المبلغ المتبقي: {outstanding}

عند الإلغاء: {refundTerms}

للاستفسار: {contact|يكفي الرد على هذه الرسالة}
رقم الحجز: {reservationId}`,
  },
  'new-reservation.owner@1': {
    subject: 'حجز جديد - {propertyName}',
    message: `عزيزي {recipientName}،

لديك حجز مؤكد جديد في {propertyName}.

الوصول: {checkInDate}، من الساعة {checkInTime}
المغادرة: {checkOutDate}، حتى الساعة {checkOutTime}
حصتك المتوقعة: {ownerShare|تُحدَّد لاحقاً}

رقم الحجز {reservationId}`,
  },
  'reservation-rolled-back.guest@1': {
    subject: 'حجزك غير مؤكد - {propertyName}',
    message:
      'عزيزي {recipientName|الضيف}، أبلغناك بأن حجزك في {propertyName} ابتداءً من {checkInDate} مؤكد. ' +
      'لم يعد الحجز مؤكداً ونعتذر عن ذلك. سنتواصل معك بشأن الخطوة التالية.',
  },
  'reservation-rolled-back.owner@1': {
    subject: 'سُحب الحجز - {propertyName}',
    message: `عزيزي {recipientName}،

الحجز الذي أبلغناك به في {propertyName} من {checkInDate} إلى {checkOutDate} لم يعد مؤكداً. الليالي متاحة من جديد.

رقم الحجز {reservationId}`,
  },
  'payment-confirmed.guest@1': {
    subject: 'تم استلام الدفعة - {propertyName}',
    message:
      'عزيزي {guestName}، استلمنا {amount} عن إقامتك في {propertyName} ابتداءً من {checkInDate}. المبلغ المتبقي: {outstanding}.',
  },
  'payment-confirmed-in-full.guest@1': {
    subject: 'تم استلام الدفعة - {propertyName}',
    message:
      'عزيزي {guestName}، استلمنا {amount} عن إقامتك في {propertyName} ابتداءً من {checkInDate}. المبلغ مدفوع بالكامل.',
  },
  'payment-receipt.guest@1': {
    subject: 'تم استلام الدفعة - {propertyName}',
    message: `عزيزي {guestName}،

استلمنا دفعتك عن إقامتك في {propertyName}. شكراً لك.

المبلغ المستلم: {amount}
المبلغ المتبقي: {outstanding}
الإقامة: {checkInDate} إلى {checkOutDate}
رقم الإيصال: {receiptId}

رقم الحجز {reservationId}`,
  },
  'payment-failed.guest@1': {
    subject: 'لم تتم عملية الدفع - {propertyName}',
    message: `عزيزي {guestName}،

لم تتم دفعتك بمبلغ {amount} لإقامتك في {propertyName} ابتداءً من {checkInDate}: {failureReason}.

لم يُخصم أي مبلغ، أو أُعيد ما خُصم. يمكنك المحاولة مرة أخرى أو استخدام وسيلة دفع أخرى.`,
  },
  'payment-due.guest@1': {
    subject: 'مبلغ متبقٍ لإقامتك في {propertyName}: {outstanding}',
    message: `عزيزي {guestName}،

تبدأ إقامتك في {propertyName} بتاريخ {checkInDate}. ما زال المبلغ {outstanding} مستحقاً.

رقم الحجز {reservationId}`,
  },
  'payout-scheduled.owner@1': {
    subject: 'تمت جدولة دفعتك - {propertyName}',
    message: `عزيزي {recipientName}،

دفع أحد الضيوف قيمة إقامة في {propertyName}.

دفعتك: {amount}
موعدها: {scheduledFor}
الإقامة: من {checkInDate} إلى {checkOutDate}

رقم الحجز {reservationId}`,
  },
  'payout-processed.owner@1': {
    subject: 'تم تحويل دفعتك - {amount}',
    message: `عزيزي {recipientName}،

حوّلنا مبلغ {amount} إلى حسابك.

عن: {payoutStays|إقاماتك}
المخصوم مما عليك: {payoutDeductions|لا شيء}`,
  },
  'payout-failed.owner@1': {
    subject: 'تعذّر تحويل دفعتك',
    message: `عزيزي {recipientName}،

رفض مصرفك تحويل مبلغ {amount}. يبقى المبلغ مستحقاً لك؛ نرجو مراجعة بيانات حسابك معنا.`,
  },
  'reservation-cancelled.guest@1': {
    subject: 'تم إلغاء الحجز - {propertyName}',
    message:
      'عزيزي {guestName}، أُلغي حجزك في {propertyName} ابتداءً من {checkInDate}. نعيد إليك {amount} ({refundPercent} ٪).',
  },
  'reservation-cancelled-with-credit.guest@1': {
    subject: 'تم إلغاء الحجز - {propertyName}',
    message:
      'عزيزي {guestName}، أُلغي حجزك في {propertyName} ابتداءً من {checkInDate}. نعيد إليك {amount}، بما في ذلك ما دفعته زيادة.',
  },
  'reservation-cancelled-no-refund.guest@1': {
    subject: 'تم إلغاء الحجز - {propertyName}',
    message: 'عزيزي {guestName}، أُلغي حجزك في {propertyName} ابتداءً من {checkInDate}. لا يوجد مبلغ مسترد.',
  },
  'reservation-cancelled.owner@1': {
    subject: 'تم إلغاء الحجز - {propertyName}',
    message: `عزيزي {recipientName}،

أُلغي الحجز في {propertyName} من {checkInDate} إلى {checkOutDate}. الليالي متاحة من جديد.

رقم الحجز {reservationId}`,
  },
  'refund-processed.guest@1': {
    subject: 'المبلغ المسترد في طريقه إليك - {propertyName}',
    message: `عزيزي {guestName}،

أُعيد مبلغ {amount} عن إقامتك في {propertyName} ابتداءً من {checkInDate} بالطريقة التي دُفع بها. قد يستغرق ظهوره في حسابك بضعة أيام.`,
  },
  'refund-affects-payout.owner@1': {
    subject: 'استرداد يغيّر دفعتك - {propertyName}',
    message: `عزيزي {recipientName}،

استردّ ضيف {propertyName} ابتداءً من {checkInDate} مبلغاً. حصتك منه {amount} تُخصم من هذه الدفعة أو مما يليها.

رقم الحجز {reservationId}`,
  },
  'welcome.guest@1': {
    subject: 'أهلاً بك في {propertyName}',
    message:
      'عزيزي {guestName}، أهلاً بك في {propertyName}. رمز الباب هو {accessCode}. يعمل الرمز حتى مغادرتك: {checkOutDate}، {checkOutTime}.',
  },
  'welcome-without-code.guest@1': {
    subject: 'أهلاً بك في {propertyName}',
    message: 'عزيزي {guestName}، أهلاً بك في {propertyName}. نتمنى لك إقامة طيبة حتى {checkOutDate}، {checkOutTime}.',
  },
  'check-in-reminder.guest@1': {
    subject: 'وصولك إلى {propertyName}: {checkInDate}',
    message:
      'عزيزي {guestName}، تبدأ إقامتك في {propertyName} بتاريخ {checkInDate}. يمكنك تسجيل الوصول من الساعة {checkInTime}.',
  },
  'check-out-reminder.guest@1': {
    subject: 'مغادرتك {propertyName}: {checkOutDate}',
    message:
      'عزيزي {guestName}، تنتهي إقامتك في {propertyName} بتاريخ {checkOutDate}. نرجو تسجيل المغادرة قبل الساعة {checkOutTime}.',
  },
  'thank-you.guest@1': {
    subject: 'شكراً لإقامتك في {propertyName}',
    message: `عزيزي {guestName}،

شكراً لإقامتك في {propertyName}. نرجو أن تكون قد نالت رضاك، ونتطلع إلى لقائك مجدداً.

رقم الحجز {reservationId}`,
  },
  'review-request.guest@1': {
    subject: 'كيف كانت إقامتك في {propertyName}؟',
    message: `عزيزي {guestName}،

نرجو أن تكون {propertyName} قد أعجبتك. هل تخبرنا كيف كانت إقامتك؟ يكفي أن ترد على هذه الرسالة.

رقم الحجز {reservationId}`,
  },
  'maintenance-required.owner@1': {
    subject: 'عطل يحتاج إلى إصلاح - {propertyName}',
    message: `عزيزي {recipientName}،

وجد فريقنا في {propertyName} ما يحتاج إلى إصلاح. نعمل على ذلك وسنخبرك عند الانتهاء.

التكلفة المقدرة: {estimate|لم تُعرف بعد}`,
  },
  'maintenance-ordered.owner@1': {
    subject: 'صيانة مطلوبة - {propertyName}',
    message: `عزيزي {recipientName}،

يلزم عمل في {propertyName}: {taskTitle}. نحن نتولى الأمر وسنبلغك عند الانتهاء.

البداية: {taskStart}
التكلفة المقدرة: {estimate|لم تُعرف بعد}`,
  },
  'repair-approval.owner@1': {
    subject: 'نحتاج إلى موافقتك - {propertyName}',
    message: `عزيزي {recipientName}،

يكلّف إصلاح في {propertyName} أكثر مما تسمح لنا بإنفاقه دون سؤالك: {taskTitle}.

التكلفة المقدرة: {estimate}
الموعد المخطط: {taskStart}

نرجو أن تخبرنا إن كنت توافق على إجرائه. لن نطلب شيئاً قبل ذلك.

{approvalUrl}`,
  },
  'maintenance-done.owner@1': {
    subject: 'تم الإصلاح - {propertyName}',
    message: `عزيزي {recipientName}،

انتهى إصلاح في {propertyName}.

المحتسب عليك: {charged|لا شيء}`,
  },
  'maintenance-planned.owner@1': {
    subject: 'صيانة مطلوبة - {propertyName}',
    message: `عزيزي {recipientName}،

حان موعد الصيانة الدورية في {propertyName}: {taskTitle}.

البداية: {taskStart}
التكلفة المقدرة: {estimate|لم تُعرف بعد}`,
  },
  'property-inspected.owner@1': {
    subject: 'اجتاز العقار الفحص - {propertyName}',
    message: `عزيزي {recipientName}،

فُحص {propertyName} وكل شيء على ما يرام: {taskTitle}.`,
  },
  'property-inspection-failed.owner@1': {
    subject: 'نتيجة فحص العقار تحتاج إلى متابعة - {propertyName}',
    message: `عزيزي {recipientName}،

فُحص {propertyName} ووُجد ما يلي: {findings}.

وما سنفعله بشأنه يأتيك في رسالة منفصلة.`,
  },
  'property-inspection.owner@1': {
    subject: 'فحص العقار - {propertyName}',
    message: `عزيزي {recipientName}،

سيُفحص {propertyName}: {taskTitle}.

البداية: {taskStart}
النهاية: {taskEnd}`,
  },
};
