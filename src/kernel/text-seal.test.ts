import { expect, it } from 'vitest';
import { createTextSeal } from './text-seal.ts';

const key = (kid: string, text: string) => ({ kid, secret: new TextEncoder().encode(text.repeat(8)) });
const seal = createTextSeal([key('new', 'abcdefgh'), key('old', 'ijklmnop')]);

it('opens what it sealed, for the same thing alone', () => {
  const sealed = seal.seal('account-1', 'secret');
  expect(sealed).not.toContain('secret');
  expect(seal.open('account-1', sealed)).toBe('secret');
  expect(seal.open('account-2', sealed)).toBeNull();
});

it('opens by an older key, and nothing that was changed', () => {
  const before = createTextSeal([key('old', 'ijklmnop')]).seal('a', 'secret');
  expect(seal.open('a', before)).toBe('secret');
  expect([seal.isCurrent(before), seal.isCurrent(seal.seal('a', 'secret'))]).toEqual([false, true]);
  expect(createTextSeal([key('new', 'abcdefgh')]).open('a', before)).toBeNull();
  const last = before.at(-3) === 'A' ? 'B' : 'A';
  expect(seal.open('a', `${before.slice(0, -3)}${last}${before.slice(-2)}`)).toBeNull();
  for (const none of ['', 'new', 'new.', 'new.AAAA']) expect(seal.open('a', none)).toBeNull();
});
