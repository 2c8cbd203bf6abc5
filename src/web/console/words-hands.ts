/** What the pages say of queues that people pause, of questions to a second person, and of what they may do about an incident. */
export const ENGLISH_HANDS = {
  queuesByHand: 'Pause a queue',
  queuesByHandText:
    'None of the jobs of a paused queue is taken up until somebody resumes it; what has begun ends. To pause sagas, use the pauses above, which outlive an emptied Redis.',
  resumeQueue: 'Resume the queue',
  pausedBySomebody: 'Paused; the audit trail of late does not say by whom',
  question: 'The question',
  askedBy: 'Asked by',
  askedAt: 'Asked at',
  countsFrom: 'Without an answer by then it counts as refused',
  countsFromAccount: 'Without an answer by then the account counts',
  decision: 'Your decision',
  choose: 'Choose',
  approve: 'Approve',
  decline: 'Decline',
  decide: 'Decide',
  decideReason: 'Why you decide so',
  otherDecides: 'You have asked this yourself: somebody else has to decide.',
  decidedBy: 'Decided by',
  owner: 'Owner',
  tryEndpoint: 'Try now',
  demoFactor: 'This needs a sign-in of the last 15 minutes.',
  demoAgain: 'Sign in again (one click)',
  wasApproved: 'approved',
  wasDeclined: 'declined',
  wasExpired: 'nobody decided in time',
  wasWithdrawn: 'nothing waits for it any more',
} as const;

export const ARABIC_HANDS: Readonly<Record<keyof typeof ENGLISH_HANDS, string>> = {
  queuesByHand: 'إيقاف طابور مؤقتًا',
  queuesByHandText:
    'لا يُؤخذ أي عمل من طابور موقوف حتى يستأنفه أحد؛ وما بدأ ينتهي. لإيقاف العمليات استخدم الإيقاف أعلاه، فهو يبقى حتى لو أُفرغ Redis.',
  resumeQueue: 'استئناف الطابور',
  pausedBySomebody: 'موقوف؛ وسجل التدقيق الأخير لا يذكر من أوقفه',
  question: 'السؤال',
  askedBy: 'السائل',
  askedAt: 'وقت السؤال',
  countsFrom: 'من دون جواب حتى هذا الوقت يُعد مرفوضًا',
  countsFromAccount: 'من دون جواب حتى هذا الوقت يسري الحساب',
  decision: 'قرارك',
  choose: 'اختر',
  approve: 'موافقة',
  decline: 'رفض',
  decide: 'قرّر',
  decideReason: 'سبب قرارك',
  otherDecides: 'أنت من طلب هذا: على شخص آخر أن يقرر.',
  decidedBy: 'قرره',
  owner: 'المالك',
  tryEndpoint: 'جرّب الآن',
  demoFactor: 'هذا يتطلب تسجيل دخول خلال آخر 15 دقيقة.',
  demoAgain: 'سجّل الدخول مجددًا (نقرة واحدة)',
  wasApproved: 'تمت الموافقة',
  wasDeclined: 'مرفوض',
  wasExpired: 'لم يقرر أحد في الوقت المحدد',
  wasWithdrawn: 'لم يعد شيء ينتظره',
};

/** What is asked about. */
export const ENGLISH_HANDS_CODES = {
  PAYMENT_REVIEW: 'A charge that looks odd',
  REFUND_OVERRIDE: 'A refund beyond the policy',
  GOODWILL: 'A refund as goodwill',
  OWNER_CHARGE: 'A cost for an owner',
  PAYOUT_ACCOUNT: 'A new account of an owner',
} as const;
export const ARABIC_HANDS_CODES: Readonly<Record<keyof typeof ENGLISH_HANDS_CODES, string>> = {
  PAYMENT_REVIEW: 'تحصيل يبدو غير معتاد',
  REFUND_OVERRIDE: 'استرداد يتجاوز السياسة',
  GOODWILL: 'استرداد على سبيل المجاملة',
  OWNER_CHARGE: 'تكلفة على المالك',
  PAYOUT_ACCOUNT: 'حساب جديد لمالك',
};
