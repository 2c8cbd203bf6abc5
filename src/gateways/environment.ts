import { z } from 'zod';

/** Parts of the environment that several adapters read alike. A value is never part of a message. */

/** `a, b,,c` as `['a', 'b', 'c']`. */
export const parts = (text: string): readonly string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

export const url = (...protocols: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `must be a ${protocols.join(' or ')} URL`,
    );

const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]']);
/** Of a provider's API. A key must not travel in the clear, except to a stand-in on this machine. */
export const apiUrl = url('http:', 'https:').refine(
  (text) => !URL.canParse(text) || new URL(text).protocol === 'https:' || LOCAL.has(new URL(text).hostname),
  'must be https, except on this machine',
);
