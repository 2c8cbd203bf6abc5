import { describe, expect, it } from 'vitest';
import { createCursorSeal } from './cursor.ts';

const key = (kid: string) => ({ kid, secret: new TextEncoder().encode(`${kid}-secret-of-more-than-32-characters`) });
const position = { at: '2024-01-15 10:00:00.123456+00', id: 'task-1' };
const seal = createCursorSeal([key('new'), key('old')]);

describe('a cursor', () => {
  it('gives back the position it was made of', () => {
    const cursor = seal.seal('tasks', { status: 'ASSIGNED' }, position);
    expect(seal.open('tasks', { status: 'ASSIGNED' }, cursor)).toEqual(position);
  });

  it('belongs to one list and one filter', () => {
    const cursor = seal.seal('tasks', { status: 'ASSIGNED' }, position);
    expect(() => seal.open('tasks', { status: 'MERGED' }, cursor)).toThrow('cursor');
    expect(() => seal.open('tasks', {}, cursor)).toThrow('cursor');
    expect(() => seal.open('owners', { status: 'ASSIGNED' }, cursor)).toThrow('cursor');
  });

  it('takes a filter that is absent and one that is undefined for the same', () => {
    const cursor = seal.seal('tasks', { status: undefined }, position);
    expect(seal.open('tasks', {}, cursor)).toEqual(position);
  });

  it('is refused when any character of it was changed', () => {
    const cursor = seal.seal('tasks', {}, position);
    for (let i = 0; i < cursor.length; i += 1) {
      const changed = `${cursor.slice(0, i)}${cursor[i] === 'A' ? 'B' : 'A'}${cursor.slice(i + 1)}`;
      expect(() => seal.open('tasks', {}, changed)).toThrow('cursor');
    }
    for (const text of ['', 'x', '%', `${cursor}=`, `${cursor}AAAA`, 'A'.repeat(1024)]) {
      expect(() => seal.open('tasks', {}, text)).toThrow('cursor');
    }
  });

  it('outlives the rotation of keys, until its key is gone', () => {
    const cursor = createCursorSeal([key('old')]).seal('tasks', {}, position);
    expect(seal.open('tasks', {}, cursor)).toEqual(position);
    expect(() => createCursorSeal([key('new')]).open('tasks', {}, cursor)).toThrow('cursor');
  });
});
