import { MESSAGES, messageOf } from './catalogue/index.ts';
import { type Facts, valuesOf } from './delivery-facts.ts';
import { EXAMPLES } from './variables/index.ts';

/** A stay as a text about it may be shown before there is one: the catalogue's examples, printed as a locale prints them. */
export const EXAMPLE_STAY: Facts = {
  id: 'notification-1',
  // The parameters of the rows of all events together.
  params: Object.assign({}, ...MESSAGES.map(({ example }) => example)),
  own: null,
  recipientName: 'Aisha Rahman',
  email: 'aisha@example.com',
  accountName: 'Aisha Rahman',
  accountEmail: 'aisha@example.com',
  linkSecret: 'example',
  sealedAddress: null,
  linkedGuestId: 'guest-1',
  stayToken: 'example',
  phone: '+971501234567',
  locale: null,
  guestName: 'John Doe',
  reservationId: 'reservation-1',
  reservationStatus: 'CONFIRMED',
  checkInDate: '2027-06-01',
  checkOutDate: '2027-06-04',
  plannedArrival: null,
  plannedDeparture: null,
  totalMinor: 100_000,
  currency: 'AED',
  ownerBp: 7_000,
  agencyBp: 2_500,
  referrerBp: 500,
  propertyName: 'Marina View 1204',
  requireTranslation: false,
  orderedAt: new Date('2027-05-01T00:00:00Z'),
  dueAt: new Date('2027-05-01T00:00:00Z'),
  timeZone: 'Asia/Dubai',
  checkInTime: '15:00',
  checkOutTime: '11:00',
  taskTitle: 'Pre-arrival cleaning',
  taskId: 'task-1',
  taskType: 'CLEANING',
  findings: 'Window broken; Lamp flickers',
  taskStatus: 'ASSIGNED',
  taskAssigneeId: 'cleaner-1',
  taskStartAt: new Date('2027-05-31T11:00:00Z'),
  taskEndAt: new Date('2027-05-31T13:00:00Z'),
  accessCode: '4711',
  accessUntil: null,
  accessChange: null,
  address: 'Marina Walk 12, apartment 1204, Dubai',
  paidMinor: 40_000,
  refundBase: 'PAID',
  refundTiers: [
    { days: 7, percent: 100 },
    { days: 3, percent: 50 },
  ],
  contact: { name: 'Sara Malik', phone: '+971 50 000 0020', email: 'sara@staff.example' },
  estimateMinor: 75_000,
  estimateCurrency: 'AED',
  doneTasks: [
    { property: 'Marina View 1204', type: 'CLEANING' },
    { property: 'Palm 7', type: 'INSPECTION' },
  ],
  displacedTasks: [{ title: 'Filter check', property: 'Palm 7', timeZone: 'Asia/Dubai', startsAt: null }],
  approval: 'PENDING',
  approvalToken: null,
  acceptBy: new Date('2027-05-31T05:30:00Z'),
  acceptedAt: null,
  offerToken: null,
  askedBefore: false,
  charge: { minor: 12_050, currency: 'AED' },
  payoutStays: [{ property: 'Marina View 1204', from: '2027-06-01', to: '2027-06-04', paid: 65_000, kept: 5_000 }],
  calendar: { from: '2027-06-01', to: '2027-06-03', nextArrival: '2027-06-05' },
  completion: {
    findings: [{ description: 'Window broken', severity: 'SEVERE' }],
    cost: { amountMinor: 12_050, currency: 'AED', chargeOwner: true },
  },
};

/** For every variable of an event, whether or not a locale has a way of its own to print it. */
export function examplesOf(event: string, locale: string): Readonly<Record<string, string>> {
  const facts = { ...EXAMPLE_STAY, params: messageOf(event)?.example ?? {} };
  const printed = Object.entries(valuesOf(facts, locale)).flatMap(([name, value]) =>
    value === null ? [] : [[name, value]],
  );
  return { ...EXAMPLES, ...Object.fromEntries(printed) };
}
