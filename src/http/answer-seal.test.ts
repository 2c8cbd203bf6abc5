import { expect, it } from 'vitest';
import { createAnswerSeal } from './answer-seal.ts';

const keyOf = (kid: string, secret: string) => ({ kid, secret: Buffer.from(secret.padEnd(32, '.')) });

it('a sealed answer opens by its key alone, and what was tampered with is no lost one', () => {
  const seal = createAnswerSeal([keyOf('local', 'one')]);
  const { sealedBy, bytes } = seal.seal('request-1', Buffer.from('secret'));
  expect(String(seal.open('request-1', sealedBy, bytes))).toBe('secret');
  // After an update both are called `local`, and are not the same; an earlier version has kept that name alone.
  for (const name of [sealedBy, 'local'])
    for (const other of [keyOf('local', 'two'), keyOf('other', 'one')])
      expect(createAnswerSeal([other]).open('request-1', name, bytes)).toBeNull();
  expect(String(seal.open('request-1', 'local', bytes))).toBe('secret');
  expect(() => seal.open('request-2', sealedBy, bytes)).toThrow();
});
