import type { AlertCode } from './alert-codes.ts';

/** What an alert tells by its code: what has happened, what the system does by itself, and what a person can do. */
export interface AlertWords {
  readonly says: string;
  readonly next: string;
  readonly remedy: string;
}

const OTHERS_ARE_ASKED = 'Somebody else is looked for at once, and gets a message.';
const TRIED_AGAIN = 'It is looked at again within the hour, and given to whoever is free then.';
const ASSIGN = 'Give it to somebody on its page, which says who could do it, and why the others could not.';
const NOTHING = 'Nothing.';
const EACH_NIGHT = 'It is compared again each night, and named until it agrees or is explained.';
const DIFFERENCE =
  'GET financial/differences?status=OPEN shows it field by field: explain it, or have it corrected at the gateway.';
const PAYOUTS_HELD = 'The payouts of the stay are held; the outcome is booked by itself.';

export const ALERT_WORDS: Readonly<Record<AlertCode, AlertWords>> = {
  STUCK: {
    says: 'A saga was put into the queue again four times, and no step was finished.',
    next: 'It goes on being tried.',
    remedy: 'Look at the workers: are they running, and do they end with an error?',
  },
  SWEEP_FAILS: {
    says: 'A loop of the system fails again and again.',
    next: 'It is tried again, less and less often.',
    remedy: 'The log of the program that runs it says why.',
  },
  ROW_FAILED: {
    says: 'A sweep cannot work on a row, and has set it aside.',
    next: 'It is tried again after 1, 4, 16 and 64 minutes, then every few hours. All others are worked on.',
    remedy: 'GET sweep-failures says why; mend the value, and have it retried there.',
  },
  CIRCUIT_OPEN: {
    says: 'A provider has failed five times in a row, and is left alone for a while.',
    next: 'One call after each pause finds out whether it is well again; what waits for it then goes on.',
    remedy: 'Ask the provider whether it is down, and look whether its address and keys are right.',
  },
  OVERPAID: {
    says: 'A guest has paid more than was due, perhaps twice.',
    next: 'What was too much is kept as the credit of the guest.',
    remedy: 'Give it back on the page of the stay, or leave it for what is still to pay.',
  },
  MANUAL_REQUIRED: {
    says: 'A gateway refuses a refund for good; the money stays owed to the guest.',
    next: 'A task of type FINANCE waits; nothing is sent by itself any more.',
    remedy: 'Send it another way, and record that with POST transactions/{id}/settlement.',
  },
  REFUND_FAILED: {
    says: 'A refund that had gone came back; the money is owed to the guest again.',
    next: 'A task of type FINANCE waits; nothing is sent by itself any more.',
    remedy: 'Send it another way, and record that with POST transactions/{id}/settlement.',
  },
  OWNER_PAYOUT_FAILED: {
    says: 'A payout to an owner came back, or a bank refused one.',
    next: 'Ours is owed to the owner again, and not sent by itself.',
    remedy: 'Ask the owner for the right account, then pay it out again.',
  },
  OWNER_OWES: {
    says: 'An owner has owed money for more than 30 days, and no payout is in sight to net it against.',
    next: 'It is netted by the next payout, if there is one.',
    remedy: 'Collect it: GET owners/{id}/statement says what it is.',
  },
  CAPTURED_NOT_BOOKABLE: {
    says: 'A gateway captured money that belongs to no stay of ours.',
    next: 'Nothing is booked; the nightly comparison names it.',
    remedy: 'Find whose it is in the dashboard of the gateway, and refund it there.',
  },
  REFUND_IN_OTHER_CURRENCY: {
    says: 'A gateway shows a refund in a currency that is not that of the stay.',
    next: 'It is not booked.',
    remedy: 'Clear it with the gateway, and explain the difference in the reconciliation.',
  },
  REFUNDED_MORE_THAN_CAPTURED: {
    says: 'More went back to a guest than was captured.',
    next: 'What fitted is booked.',
    remedy: 'Find the second payment, and have it returned.',
  },
  DISPUTE_OPENED: {
    says: 'The bank of a guest claims a payment back.',
    next: PAYOUTS_HELD,
    remedy: 'Those who look after the money answer it at the gateway, as their mail and the task of the stay say.',
  },
  DISPUTE_IN_OTHER_CURRENCY: {
    says: 'The bank of a guest claims a payment back, in a currency that is not that of the stay.',
    next: 'It is not booked, and no payout is held.',
    remedy: 'Answer it at the gateway, clear the money by hand, and explain the difference.',
  },
  DISPUTE_DECIDED_ANEW: {
    says: 'A gateway says the opposite of what we have booked as the end of a dispute.',
    next: 'Nothing more is booked.',
    remedy: 'Ask the gateway what holds; the next reconciliations name the difference.',
  },
  MONEY_DIFFERS: {
    says: 'The books do not agree with themselves.',
    next: 'Nothing is stopped. It is named every night until it agrees.',
    remedy: 'GET financial/integrity?full=true names what differs; call a developer with its answer.',
  },
  MISSING_IN_LEDGER: { says: 'A gateway shows money that we have not booked.', next: EACH_NIGHT, remedy: DIFFERENCE },
  CURRENCY_MISMATCH: { says: 'We and a gateway name different currencies.', next: EACH_NIGHT, remedy: DIFFERENCE },
  STATUS_MISMATCH: {
    says: 'Of us and a gateway one counts money as moved, and the other does not.',
    next: EACH_NIGHT,
    remedy: DIFFERENCE,
  },
  AMOUNT_MISMATCH: { says: 'We and a gateway have different amounts.', next: EACH_NIGHT, remedy: DIFFERENCE },
  MISSING_AT_GATEWAY: { says: 'We have booked what a gateway does not show.', next: EACH_NIGHT, remedy: DIFFERENCE },
  FEE_MISMATCH: { says: 'A gateway has kept another fee than we have booked.', next: EACH_NIGHT, remedy: DIFFERENCE },
  DATE_MISMATCH: {
    says: 'We and a gateway have the same money more than three days apart.',
    next: EACH_NIGHT,
    remedy: DIFFERENCE,
  },
  NO_STAFF_AVAILABLE: {
    says: 'Nobody can take a task; there may be more of its type.',
    next: TRIED_AGAIN,
    remedy: ASSIGN,
  },
  TASK_UNASSIGNED_24H: { says: 'A task begins within a day, and nobody has it.', next: TRIED_AGAIN, remedy: ASSIGN },
  TASK_UNASSIGNED_4H: {
    says: 'A task begins within four hours, and nobody has it.',
    next: TRIED_AGAIN,
    remedy: `Telephone, or move it. ${ASSIGN}`,
  },
  TASK_DECLINED: {
    says: 'Somebody has declined a task that was theirs, and may decline others.',
    next: OTHERS_ARE_ASKED,
    remedy:
      'Its page says who it was: is the person ill, mark them as absent there, and all their tasks of that time go to others.',
  },
  TASK_NOT_ANSWERED: {
    says: 'Somebody has not answered in time whether they do a task, and may be absent.',
    next: OTHERS_ARE_ASKED,
    remedy:
      'Its page says who it was: is the person ill, mark them as absent there, and all their tasks of that time go to others.',
  },
  NOBODY_ANSWERED: {
    says: 'All who could do a task were asked twice, and nobody has answered.',
    next: NOTHING,
    remedy: `Telephone. ${ASSIGN}`,
  },
  TASK_DISPLACED: {
    says: 'An emergency has taken the person of a task, and nobody else is free for it.',
    next: TRIED_AGAIN,
    remedy: `Move it. ${ASSIGN}`,
  },
  NO_FREE_DAY: {
    says: 'Recurring work finds no day without a guest in its period.',
    next: 'When the period is over, it is recorded as skipped.',
    remedy: 'Agree a time with a guest, and create the task by hand.',
  },
  WEBHOOK_DISABLED_GONE: {
    says: 'A webhook endpoint has answered that it is gone, and is disabled.',
    next: 'Its events wait for it as long as they are kept.',
    remedy: 'Ask its owner; enable it, or delete it.',
  },
  WEBHOOK_DISABLED_EVENT_NOT_TAKEN: {
    says: 'A webhook endpoint has refused one event for three days, and is disabled.',
    next: 'Its events wait for it as long as they are kept.',
    remedy: 'Have the program mended, test it, then enable it.',
  },
};

/** Of a message that is not sent, whatever the reason. */
export const UNSENT_WORDS: AlertWords = {
  says: 'A message was not sent; there may be more for the same reason.',
  next: 'It is not sent by itself any more.',
  remedy:
    'Its page says why: mend its text there, or the record that lacks a value, and send it again. All others are sent again with POST notifications/resend.',
};

/** Of what has no words of its own. */
export const OTHER_WORDS: AlertWords = {
  says: 'Something needs attention.',
  next: NOTHING,
  remedy: 'The runbook has a heading for the reason.',
};
