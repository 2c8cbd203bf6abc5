import type { VariableName } from './templates.ts';

/** The typed catalogue: what kind of thing each variable is, and what it may look like. */
export interface Variable {
  readonly type: 'url' | 'text' | 'id' | 'date' | 'time' | 'instant' | 'money' | 'percent' | 'code' | 'secret';
  readonly example: string;
  /** Not everybody has one: a line of a text that names it is left out where there is none. */
  readonly optional: boolean;
}
const of = (type: Variable['type'], example: string, { optional = false } = {}): Variable => ({
  type,
  example,
  optional,
});
const OPTIONAL = { optional: true };

export const CATALOGUE: Readonly<Record<VariableName, Variable>> = {
  guestName: of('text', 'John Doe'),
  recipientName: of('text', 'Aisha Rahman'),
  reservationId: of('id', 'reservation-1'),
  propertyName: of('text', 'Marina View 1204'),
  checkInDate: of('date', '1 June 2027'),
  checkInTime: of('time', '15:00 (Asia/Dubai)'),
  checkOutDate: of('date', '4 June 2027'),
  checkOutTime: of('time', '11:00 (Asia/Dubai)'),
  arrivalTime: of('time', '15:00 (Gulf Standard Time)'),
  departureTime: of('time', '11:00 (Gulf Standard Time)'),
  address: of('text', 'Marina Walk 12, apartment 1204, Dubai', OPTIONAL),
  price: of('money', 'AED 1,000.00'),
  paid: of('money', 'AED 400.00'),
  refundTerms: of(
    'text',
    '100% of what you paid is refunded until 25 May 2027, 23:59 (Gulf Standard Time); 50% until 29 May 2027, 23:59; nothing after that',
    OPTIONAL,
  ),
  contact: of('text', 'Sara Malik, +971 50 000 0020, sara@staff.example', OPTIONAL),
  ownerShare: of('money', 'AED 700.00'),
  taskTitle: of('text', 'Pre-arrival cleaning'),
  taskWork: of('text', 'cleaning'),
  taskId: of('id', 'task-1'),
  taskStart: of('instant', 'Monday 31 May 2027 at 15:00 (Asia/Dubai)'),
  taskEnd: of('instant', 'Monday 31 May 2027 at 17:00 (Asia/Dubai)'),
  findings: of('text', 'Window broken; Lamp flickers'),
  amount: of('money', 'AED 1,000.00'),
  outstanding: of('money', 'AED 600.00'),
  refundPercent: of('percent', '25'),
  scheduledFor: of('instant', 'Tuesday 15 June 2027 at 00:00 (Asia/Dubai)'),
  previousStart: of('instant', 'Monday 31 May 2027 at 13:00 (Asia/Dubai)'),
  accessCode: of('secret', '4711'),
  failureReason: of('text', 'the card was declined'),
  sagaName: of('code', 'confirmReservation'),
  step: of('code', 'updateReservationStatus'),
  code: of('code', 'STEP_FAILED'),
  sagaId: of('id', 'saga-1'),
  receiptId: of('id', 'transaction-1'),
  payoutStays: of('text', 'Marina View 1204, 1 June 2027 – 4 June 2027: AED 700.00'),
  payoutDeductions: of('money', 'AED 50.00'),
  estimate: of('money', 'AED 750.00'),
  approvalUrl: of('url', 'https://roomy.example/approvals/example'),
  acceptBy: of('instant', 'Monday 31 May 2027 at 09:30 (Asia/Dubai)'),
  answerUrl: of('url', 'https://roomy.example/offers/example'),
  doneTasks: of('text', 'Marina View 1204: cleaning; Palm 7: inspection'),
  doneCount: of('text', '2'),
  displacedTasks: of('text', 'Filter check, Palm 7: it is no longer yours'),
  charged: of('money', 'AED 120.50'),
  severity: of('text', 'severe'),
  calendarImpact: of('text', 'nights are taken from 1 June 2027 to 3 June 2027; the next guest arrives on 5 June 2027'),
};

const OPTIONALS: ReadonlySet<string> = new Set(
  Object.entries(CATALOGUE).flatMap(([name, { optional }]) => (optional ? [name] : [])),
);
export const isOptional = (name: string): boolean => OPTIONALS.has(name);

export const EXAMPLES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(CATALOGUE).map(([name, { example }]) => [name, example]),
);
