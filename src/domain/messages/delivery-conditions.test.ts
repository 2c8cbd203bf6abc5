import { describe, expect, it } from 'vitest';
import { type Conditions, heldBack } from './delivery-conditions.ts';
import { EXAMPLE_STAY } from './examples.ts';
import { MATRIX } from './matrix-table.ts';

/** Every hour of a day in Dubai, with quiet hours from 21:00 to 09:00 for both channels. */
const HOURS = Array.from({ length: 24 }, (_, hour) => new Date(Date.UTC(2027, 4, 1, hour, 30)));
const conditions = (fields: Partial<Conditions>): Conditions => ({
  id: 'message-1',
  event: 'RESERVATION_CONFIRMED',
  channel: 'SMS',
  recipientType: 'GUEST',
  notAfter: null,
  resendOf: null,
  inBulk: false,
  wantsDigest: false,
  enabled: null,
  quietFrom: '21:00',
  quietTo: '09:00',
  lastCall: '20:30',
  quietChannels: ['EMAIL', 'SMS'],
  reviewDespiteIncident: false,
  now: new Date('2027-05-01T18:00:00Z'),
  timeZone: 'Asia/Dubai',
  isPlanned: true,
  isUnwanted: false,
  ...fields,
});

const heldBackWith = (known: Conditions) =>
  heldBack({ conditions: known, facts: EXAMPLE_STAY, template: 'any', recipientId: 'guest-1' });

describe('a message that is sent again with others', () => {
  it('goes when a first one of its event would, for every event, channel, hour and wish for a digest', () => {
    let waits = 0;
    for (const { event, recipientType } of MATRIX) {
      for (const channel of ['EMAIL', 'SMS'] as const) {
        for (const wantsDigest of [false, true]) {
          for (const now of HOURS) {
            const first = { event, recipientType, channel, wantsDigest, now };
            const expected = heldBackWith(conditions(first));
            expect(heldBackWith(conditions({ ...first, resendOf: 'lost', inBulk: true }))).toEqual(expected);
            if (expected?.status === 'WAIT') waits += 1;
          }
        }
      }
    }
    expect(waits).toBeGreaterThan(100);
  });

  it('waits for the morning, unlike one that a person asked for, and unlike what goes at any hour', () => {
    const morning = { status: 'WAIT', until: new Date('2027-05-02T05:00:00Z'), reason: 'QUIET_HOURS' };
    expect(heldBackWith(conditions({ resendOf: 'lost', inBulk: true }))).toEqual(morning);
    expect(heldBackWith(conditions({ resendOf: 'lost' }))).toBeNull();
    expect(heldBackWith(conditions({ resendOf: 'lost', inBulk: true, event: 'WELCOME' }))).toBeNull();
  });
});
