import type { ZodError } from 'zod';
import { type ErrorCode, isErrorCode, RoomyError } from '../kernel/errors.ts';

/** Bounds, because a caller decides how many things are wrong and how long their names are. */
const MAX_ISSUES = 20;
const MAX_TEXT = 200;

/** Which fields are wrong and why; never the values that were sent. */
export function validationFailed(error: ZodError): RoomyError {
  const issues = error.issues.slice(0, MAX_ISSUES).map((issue) => ({
    path: issue.path.map(String).join('.').slice(0, MAX_TEXT),
    message: issue.message.slice(0, MAX_TEXT),
  }));
  return new RoomyError(ownCode(error) ?? 'VALIDATION_FAILED', { details: { issues } });
}

/** A schema may name the code of a refusal; the first one is told. */
function ownCode(error: ZodError): ErrorCode | undefined {
  for (const issue of error.issues) {
    const code: unknown = issue.code === 'custom' ? issue.params?.code : undefined;
    if (typeof code === 'string' && isErrorCode(code)) return code;
  }
  return undefined;
}
