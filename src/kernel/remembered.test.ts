import { describe, expect, it } from 'vitest';
import { remembered } from './remembered.ts';

describe('a function that remembers', () => {
  it('answers each text as it did at first, also with null, and computes anew what is too many', () => {
    const asked: string[] = [];
    const lengthOf = remembered(2, (text) => {
      asked.push(text);
      return text === '' ? null : text.length;
    });
    for (let n = 0; n < 2; n += 1) expect(['', 'ar', 'en-GB'].map(lengthOf)).toEqual([null, 2, 5]);
    expect(asked).toEqual(['', 'ar', 'en-GB', 'en-GB']);
  });

  it('remembers no failure', () => {
    let times = 0;
    const fails = remembered(2, () => {
      times += 1;
      throw new RangeError('no tag');
    });
    for (let n = 0; n < 2; n += 1) expect(() => fails('en')).toThrow('no tag');
    expect(times).toBe(2);
  });
});
