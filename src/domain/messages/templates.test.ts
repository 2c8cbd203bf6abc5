import { describe, expect, it } from 'vitest';
import type { ReservationStatus } from '../../db/schema.ts';
import { type Conditions, untrue } from './delivery-conditions.ts';
import { EXAMPLE_STAY } from './examples.ts';
import { entryOf } from './matrix-table.ts';
import { renderText, variablesOf } from './render.ts';
import { keyFor, SHORT, TEMPLATES, templateOf, VARIABLES } from './templates.ts';

const STATUSES: readonly ReservationStatus[] = ['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED'];

function textOf(key: string) {
  const template = templateOf(key);
  if (!template) throw new Error(`no ${key}`);
  return template;
}

describe('the catalogue', () => {
  it.each(Object.entries(TEMPLATES))('%s says only what its event knows', (_key, template) => {
    const known: readonly string[] = VARIABLES[template.event] ?? [];
    const used = [...variablesOf(template.subject), ...variablesOf(template.message)];
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  });

  it.each(Object.entries(TEMPLATES))('%s names the one it is made for', (key, template) => {
    expect(key).toMatch(new RegExp(`\\.${template.recipientType.toLowerCase()}@[1-9]\\d*$`));
  });

  it('tells owners and operations nothing about a guest', () => {
    for (const template of Object.values(TEMPLATES)) {
      if (template.recipientType !== 'OWNER' && template.recipientType !== 'OPS') continue;
      expect([...variablesOf(template.subject), ...variablesOf(template.message)]).not.toContain('guestName');
    }
  });

  it('says what happened to money whatever has become of the stay', () => {
    const conditions: Conditions = {
      id: 'message-1',
      event: '',
      channel: 'EMAIL',
      recipientType: 'GUEST',
      notAfter: null,
      resendOf: null,
      inBulk: false,
      wantsDigest: false,
      enabled: null,
      quietFrom: '21:00',
      quietTo: '09:00',
      lastCall: '20:30',
      quietChannels: ['SMS'],
      reviewDespiteIncident: false,
      now: new Date(),
      timeZone: 'Asia/Dubai',
      isPlanned: true,
      isUnwanted: false,
    };
    const dropsAt = (key: string, event: string, reservationStatus: ReservationStatus | null): boolean => {
      const facts = { ...EXAMPLE_STAY, reservationStatus, approvalToken: 'a-token' };
      return (
        untrue({ facts, conditions: { ...conditions, event }, template: key, recipientId: 'cleaner-1' })?.status ===
        'SKIPPED'
      );
    };
    const dropped = Object.entries(TEMPLATES).flatMap(([key, { event }]) =>
      [null, ...STATUSES].some((status) => dropsAt(key, event, status)) ? [key] : [],
    );
    expect(dropsAt('welcome.guest@1', 'WELCOME', 'CHECKED_IN')).toBe(false);
    const whileTheStayLasts = [
      'reservation-confirmed.guest@1',
      'reservation-confirmed-details.guest@1',
      'reservation-confirmed-details.guest@2',
      'new-reservation.owner@1',
      'reservation-rolled-back.guest@1',
      'reservation-rolled-back.owner@1',
      'payment-due.guest@1',
      'check-in-reminder.guest@1',
      'welcome.guest@1',
      'welcome-without-code.guest@1',
      'check-out-reminder.guest@1',
      'thank-you.guest@1',
      'review-request.guest@1',
      'check-in-prompt.staff@1',
      'check-in-prompt.ops@1',
      'check-out-prompt.staff@1',
      'check-out-prompt.ops@1',
    ];
    expect(dropped).toEqual(expect.arrayContaining(whileTheStayLasts));
    // Messages about money, tasks and the property, and alerts, are never dropped for it.
    const always = /^(?:PAY(?:MENT|OUT)_(?!DUE)|REFUND_|RESERVATION_CANCELLED|TASK_|MAINTENANCE_|PROPERTY_|SYSTEM_)/;
    expect(dropped.filter((key) => always.test(templateOf(key)?.event ?? ''))).toEqual([]);
  });

  it("has the brief's confirmation word for word", () => {
    const { subject, message } = textOf('reservation-confirmed.guest@1');
    const values = { propertyName: 'Marina 12', guestName: 'John Doe', checkInDate: '1 February 2024' };
    expect(renderText(subject, values)).toEqual({ ok: true, text: 'Reservation Confirmed - Marina 12' });
    expect(renderText(message, values)).toEqual({
      ok: true,
      text: 'Dear John Doe, your reservation for Marina 12 is confirmed for 1 February 2024.',
    });
  });

  it('has a shorter text by SMS for every mail of an event that goes by SMS too', () => {
    const long = Object.entries(TEMPLATES).filter(
      ([, { event, recipientType, mailOnly }]) => mailOnly && entryOf(event, recipientType)?.channels.includes('SMS'),
    );
    expect(long.map(([key]) => key).toSorted()).toEqual(Object.keys(SHORT).toSorted());
    for (const [key, { event }] of long) {
      const short = templateOf(keyFor(key, 'SMS'));
      expect(short).toMatchObject({ event, mailOnly: false });
      expect(keyFor(key, 'EMAIL')).toBe(key);
    }
  });

  it('does not know keys that an object inherits', () => {
    expect(templateOf('constructor')).toBeNull();
    expect(templateOf('no-such.guest@1')).toBeNull();
  });
});
