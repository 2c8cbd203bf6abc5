import { API, OLDEST_FIRST, type OperationTexts, PAGED, PORTFOLIO, SAGA, VERSIONED } from './kinds.ts';

const PATH = `${API}/reservations`;

export const STAYS: OperationTexts = {
  [`GET ${PATH}`]: {
    id: 'listReservations',
    text: `Finds reservations by status, property, guest, or the days that they cover. ${PAGED} ${PORTFOLIO}`,
  },
  [`POST ${PATH}`]: {
    id: 'createReservation',
    text: 'Adds a reservation in status `PENDING`. It does not take the dates yet: that is what confirming does, so two pending reservations may overlap. `totalAmount` is in major units (1000 is AED 1,000.00) with no more decimals than the currency has (`AMOUNT_PRECISION`). Property and guest must exist, and an agent must have them: the property in the portfolio, the guest from a stay there or added by the agent (`REFERENCE_NOT_FOUND`). `referringAgentId` is not an agent’s to send (403). Without an `id` one is made.',
  },
  [`GET ${PATH}/:id`]: {
    id: 'getReservation',
    text: `Answers the reservation, which actions its state allows, and with \`include\` its tasks, transactions, messages and sagas, each for whoever may list these (else 403). An owner sees the stay without its guest. The \`ETag\` is what a change sends as \`If-Match\`. ${PORTFOLIO}`,
  },
  [`PATCH ${PATH}/:id`]: {
    id: 'updateReservation',
    text: `Changes the fields that are sent and no others. Dates, price, property and guest can be changed only while the reservation is \`PENDING\` (else \`INVALID_STATE_TRANSITION\`) and never while a saga runs on it (\`SAGA_IN_PROGRESS\`). A planned arrival or departure moves the tasks that hang on it; what could not be moved is named in \`warnings\`. ${VERSIONED}`,
  },
  [`POST ${PATH}/:id/confirm`]: {
    id: 'confirmReservation',
    text: `Takes the dates, plans the four tasks of a stay (cleaning before, check-in, check-out, cleaning after), records the amount due, and writes to guest, owner and staff. Refused with \`RESERVATION_CONFLICT\` when another confirmed stay or a block covers a night, with \`INVALID_STATE_TRANSITION\` when it is not \`PENDING\`, and, with \`requireAssignment\`, with \`NO_STAFF_AVAILABLE\` and other times when nobody can take a task. ${SAGA}`,
  },
  [`POST ${PATH}/:id/check-in`]: {
    id: 'checkInReservation',
    text: `Records that the guest has arrived: the stay becomes \`CHECKED_IN\`, the door and other devices of the property are switched on, and the guest is sent the access code. A guest who is early, owes money or finds the rooms not ready is a warning in the answer; with \`strict\`, or where the property demands it, it is a refusal (\`CHECK_IN_TOO_EARLY\`, \`BALANCE_DUE\`, \`PROPERTY_NOT_READY\`). ${SAGA}`,
  },
  [`POST ${PATH}/:id/check-out`]: {
    id: 'checkOutReservation',
    text: `Records that the guest has left: the stay becomes \`CHECKED_OUT\`, devices are switched off, a cleaning is planned two hours after the real departure, nights that were not used are free again, and the report of the stay is written. With \`strict\` an open balance refuses it (\`BALANCE_DUE\`). ${SAGA}`,
  },
  [`GET ${PATH}/:id/timeline`]: {
    id: 'listReservationTimeline',
    text: `What happened about the stay and why: who asked for what, each saga with its steps and its end, the states of the stay, tasks with the scores of who could do them, money with its rule and the version of the terms, refunds and payouts included, approvals, access to the door, messages or why they were not sent, events of the feed with how far each webhook is, and changes by hand. With \`forecast=true\` also what will happen after \`now\`, for whoever may ask for the forecast (else 403). ${OLDEST_FIRST} ${PORTFOLIO}`,
  },
  [`GET ${API}/day`]: {
    id: 'getDay',
    text: `Who arrives, leaves and is in the house on a day, with counts: properties by name, their stays by time. Of each stay whether the rooms are cleaned, who comes for which task, what is still to pay (major units), and in \`warnings\` what is late or has nobody, by now. With \`properties\` so many of them, and \`nextAfter\` for the next call’s \`after\`. A day is the property’s own; without \`date\` it is today on the clock of the agency. Guests’ names are for whoever may read guests, amounts for whoever sees money. A property that the caller does not see is 404 \`NOT_FOUND\`. ${PORTFOLIO}`,
  },
  [`GET ${PATH}/:id/check-out-report`]: {
    id: 'getCheckOutReport',
    text: 'The report as it was written at the departure; it never changes, and `sha256` proves that. Amounts are in major units. With `Accept: text/html` it comes as a page to print. 404 `NOT_FOUND` until the guest has checked out.',
  },
  [`GET ${PATH}/:id/check-out-report/link`]: {
    id: 'getCheckOutReportLink',
    text: 'An address that opens the report as a page to print, in any browser and without a token, until `expiresAt`, ten minutes later. Whoever has it may read the report, and it cannot be taken back. 404 `NOT_FOUND` until the guest has checked out.',
  },
  [`GET /reports/:token`]: {
    id: 'showCheckOutReport',
    text: 'The report of a departure as a page to print. The address itself is the permission: `getCheckOutReportLink` gives one that ends after ten minutes. An ended or wrong one is 404 `NOT_FOUND`, in a browser a page that says so.',
  },
  [`POST ${PATH}/:id/rating`]: {
    id: 'rateReservation',
    text: `Keeps what the guest thinks of a stay, from 1 to 5, with a comment: by the guest, or by the office that was told. One rating a stay, for good. It is refused with \`INVALID_STATE_TRANSITION\` until the guest has left, for what is no guest’s stay, and when there is one already. ${PORTFOLIO}`,
  },
  [`GET ${PATH}/:id/rating`]: {
    id: 'getRating',
    text: `The rating of a stay, with who entered it and when. 404 \`NOT_FOUND\` while there is none. ${PORTFOLIO}`,
  },
  [`POST ${PATH}/:id/guest-link`]: {
    id: 'createGuestLink',
    text: `Answers the address by which the guest sees the stay without an account: its days, what is paid and due, and the address and the code of the door when these are due. It is the one that the mail of the confirmation has, and whoever has it may read the page. It ends at \`expiresAt\`, 14 days after the departure, and at once when the stay is cancelled, becomes another guest’s, or the guest’s account is deactivated; for a stay whose link would not open, or that has no guest, it is refused with \`INVALID_STATE_TRANSITION\`. It is audited, without the address. ${PORTFOLIO}`,
  },
  [`GET /stay/:token`]: {
    id: 'showGuestStay',
    text: 'What `getMyStay` answers, as a page in the language of the guest. The address itself is the permission: it is in the mail of the confirmation, and `createGuestLink` answers it. One that is wrong, or has ended, is 404 `NOT_FOUND`, in a browser a page that says so.',
  },
  [`POST ${PATH}/:id/payment`]: {
    id: 'processPayment',
    text: `Books a payment that the gateway holds or is to capture, and divides it between owner, agency and referring agent by the terms of the stay. \`amount\` is in major units and may be a number or a decimal text; the currency is the reservation’s. \`gatewayReference\` is the gateway’s token for the payment, never a card number (\`CARD_DATA_FORBIDDEN\`). A payment that the gateway declines is 402 \`PAYMENT_DECLINED\` with its reason in \`details.gatewayError\`; nothing stays booked. More than what is outstanding is \`PAYMENT_EXCEEDS_BALANCE\`. A guest pays for its own stays only. ${SAGA}`,
  },
  [`POST ${PATH}/:id/cancel`]: {
    id: 'cancelReservation',
    text: `Cancels the stay, frees its dates, cancels open tasks and refunds by the policy that held when it was confirmed: by default all of it 7 days before check-in, half of it 3 days before, a quarter the day before, then nothing. \`initiator\` AGENCY or OWNER refunds everything; \`refundPercentOverride\` is for ADMIN and FINANCE and needs a \`reason\`. The plan of a dry run has the \`refund\` by its rule, too. A guest who has checked in must check out instead (\`RESERVATION_IN_HOUSE\`). ${SAGA}`,
  },
  [`POST ${PATH}/:id/refunds`]: {
    id: 'refundReservation',
    text: `Gives a guest money back without a cancellation: credit (what was paid over the balance, or captured for a stay that was called off), or goodwill, whatever the state of the stay. No more than what has been captured and not refunded (\`REFUND_EXCEEDS_CAPTURED\`, \`NOTHING_TO_REFUND\`). Credit goes back first and nobody bears it; of the rest \`bearer\` says who does: SPLIT (default) everybody as in a cancellation, AGENCY or OWNER that party alone. For whoever may override the percentage of a cancellation; goodwill that comes to more than 5 000 for a stay, of any currency, waits for a second person. The money goes back to the charges by which it came, through a saga executeRefund for each; \`refund.status\` says how far they are. ${SAGA}`,
  },
  [`GET ${PATH}/:id/cancellation-quote`]: {
    id: 'getCancellationQuote',
    text: 'What the guest would get back now (`today`) and until which instant each percentage holds (`schedule`), in major units and on the property’s clock. Nothing is changed.',
  },
  [`GET ${PATH}/:id/forecast`]: {
    id: 'getReservationForecast',
    text: 'Every message and task that this booking has caused and will cause, with its time and the rule behind it. For a pending reservation it is what a confirmation would do, and `wouldBeRefused` is the code with which it would be refused now.',
  },
};
