import { createFieldKeys, type FieldKeys } from '../../src/db/field-keys.ts';
import { required } from '../../src/kernel/errors.ts';

/** Keys of fields as a configuration names them. */
export const fieldKeys = (...kids: readonly string[]): FieldKeys =>
  required(
    createFieldKeys(
      kids.map((kid) => ({ kid, secret: new TextEncoder().encode(`${kid}-of-tests-0123456789-abcdefghijklmnop`) })),
    ),
    'keys of fields',
  );

/** Those of programs in tests, each with what it remembers. */
export const testFieldKeys = (): FieldKeys => fieldKeys('test');
