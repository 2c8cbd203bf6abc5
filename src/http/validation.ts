import type { ZodError } from 'zod';
import { type ErrorCode, isErrorCode, RoomyError } from '../kernel/errors.ts';
import { knownFields, speakPlainly, unknownField } from './plain-messages.ts';

/** Bounds, because a caller decides how many things are wrong and how long their names are. */
const MAX_ISSUES = 20;
const MAX_TEXT = 400;

speakPlainly();

/** Which fields are wrong and why; never the values that were sent. With the schema, unknown fields get the nearest known one. */
export function validationFailed(error: ZodError, schema?: unknown): RoomyError {
  const issues = error.issues
    .flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
      const known = knownFields(schema, issue.path);
      // No more than are told: looking for the nearest name costs time for each.
      return issue.keys
        .slice(0, MAX_ISSUES)
        .map((key) => ({ path: [...issue.path, key], message: unknownField(key, known) }));
    })
    .slice(0, MAX_ISSUES)
    .map(({ path, message }) => ({
      path: path.map(String).join('.').slice(0, MAX_TEXT),
      message: message.slice(0, MAX_TEXT),
    }));
  return new RoomyError(ownCode(error) ?? 'VALIDATION_FAILED', { details: { issues } });
}

/** A schema may name the code of a refusal; the first one counts. */
function ownCode(error: ZodError): ErrorCode | undefined {
  for (const issue of error.issues) {
    const code: unknown = issue.code === 'custom' ? issue.params?.code : undefined;
    if (typeof code === 'string' && isErrorCode(code)) return code;
  }
  return undefined;
}
