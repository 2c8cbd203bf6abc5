import { describe, expect, it } from 'vitest';
import { DEFAULT_MESSAGE_CAPS, messageCapOf, readMessageCaps } from './message-caps.ts';
import { DEFAULT_LIMITS, limitOfCaller, networkOf, readLimitNumbers } from './rate-limits.ts';

describe('RATE_LIMITS', () => {
  it('changes what it names and keeps the rest', () => {
    const numbers = readLimitNumbers('writes=120, service:importer/writes=20000,service:importer/open-sagas=5000');
    expect(numbers?.general).toEqual({ ...DEFAULT_LIMITS.general, writes: 120 });
    const of = (kind: 'person' | 'service', principal: string, name: 'writes' | 'reads' | 'open-sagas') =>
      numbers && limitOfCaller(numbers, { kind, principal }, name);
    expect(of('person', 'agent-1', 'writes')).toBe(120);
    expect(of('service', 'service:crm', 'writes')).toBe(1_200);
    expect(of('service', 'service:importer', 'writes')).toBe(20_000);
    expect(of('service', 'service:importer', 'open-sagas')).toBe(5_000);
    expect(of('service', 'service:importer', 'reads')).toBe(3_000);
  });

  it.each([
    '',
    'writes',
    'writes=',
    'writes=0',
    'writes=-1',
    'writes=1e3',
    'wrItes=1',
    'cooks=1',
    'a/pages=1',
    'writes=1,',
  ])('is not %j', (text) => {
    expect(readLimitNumbers(text)).toBeNull();
  });
});

describe('MESSAGES_A_DAY', () => {
  it('changes what it names, and has nothing for operations', () => {
    const caps = readMessageCaps('guest-sms=3');
    expect(caps).toEqual({ ...DEFAULT_MESSAGE_CAPS, 'guest-sms': 3 });
    expect(messageCapOf(DEFAULT_MESSAGE_CAPS, 'GUEST', 'SMS')).toBe(10);
    expect(messageCapOf(DEFAULT_MESSAGE_CAPS, 'OPS', 'EMAIL')).toBeNull();
  });

  it.each(['', 'guest=1', 'guest-sms=0', 'ops-email=1', 'guest-sms=1;'])('is not %j', (text) => {
    expect(readMessageCaps(text)).toBeNull();
  });
});

describe('an address', () => {
  it('of IPv6 counts as its network', () => {
    expect(networkOf('203.0.113.7')).toBe('203.0.113.7');
    expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
    expect(networkOf('2001:db8:1:2::1')).toBe('2001:db8:1:2::/64');
    expect(networkOf('2001:db8:1:3::1')).not.toBe('2001:db8:1:2::/64');
    expect(networkOf(null)).toBe('unknown');
  });
});
