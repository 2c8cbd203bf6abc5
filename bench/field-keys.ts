import { readFieldKeys } from '../src/config-fields.ts';
import { createFieldKeys } from '../src/db/field-keys.ts';

/** Of all programs of a bench, which follow one another on one database. It is measured with sealed fields, as production runs. */
export const BENCH_FIELD_KEYS = 'bench:sealed-fields-0123456789-abcdefghijklmnop';

/** The same for a program that opens a database by itself. */
export const benchFieldKeys = () => createFieldKeys(readFieldKeys({ FIELD_KEYS: BENCH_FIELD_KEYS }));
