import { z } from '@hono/zod-openapi';
import { CATALOGUE, type ErrorCode } from '../../kernel/errors.ts';

/** The brief's envelope, and the answers that routes declare. */

export const Failure = z
  .object({
    success: z.literal(false),
    error: z.string(),
    code: z.string(),
    requestId: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).optional(),
    sagaExecutionId: z.string().optional().openapi({ description: 'The saga that ended with this refusal' }),
    failedStep: z.string().optional(),
    compensated: z.boolean().optional().openapi({ description: 'Everything that the saga had done is undone' }),
  })
  .openapi('Failure');

/** The same for those who ask for `application/problem+json` (RFC 9457). */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().optional(),
    code: z.string(),
    requestId: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).optional(),
    errors: z
      .array(z.object({ detail: z.string(), pointer: z.string() }))
      .optional()
      .openapi({ description: 'The fields that are wrong, each with its JSON Pointer' }),
    sagaExecutionId: z.string().optional(),
    failedStep: z.string().optional(),
    compensated: z.boolean().optional(),
  })
  .openapi('Problem');

const json = (schema: z.ZodType, example?: unknown) => ({
  'application/json': { schema, ...(example === undefined ? {} : { example }) },
});

export const one = (schema: z.ZodType) =>
  z.object({ success: z.literal(true), data: schema, message: z.string().optional() });
export const many = (schema: z.ZodType, extra: z.ZodRawShape = {}) =>
  z.object({ success: z.literal(true), data: z.array(schema), nextCursor: z.string().nullable(), ...extra });

export const answer = (description: string, schema: z.ZodType, example?: unknown) => ({
  description,
  content: json(schema, example),
});

/** Every route may refuse for these; a route names what it refuses besides. */
const ALWAYS: readonly ErrorCode[] = ['INTERNAL_ERROR', 'SERVICE_UNAVAILABLE'];
const GUARDED: readonly ErrorCode[] = ['UNAUTHENTICATED', 'FORBIDDEN'];
const WITH_BODY: readonly ErrorCode[] = ['MALFORMED_REQUEST', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

/** Failure answers by status, each naming its codes. */
export function refusals(...codes: readonly ErrorCode[]) {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of [...GUARDED, ...codes, ...ALWAYS]) {
    const { status } = CATALOGUE[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, known]) => {
      const [first = 'INTERNAL_ERROR'] = known;
      const example = { success: false, error: CATALOGUE[first].text, code: first, requestId: 'request-1' };
      return [status, { description: known.join(', '), content: json(Failure, example) }];
    }),
  );
}
/** Of a body that may hold an amount of money. */
export const MONEY_REFUSALS: readonly ErrorCode[] = [
  'AMOUNT_PRECISION',
  'AMOUNT_INVALID',
  'AMOUNT_NOT_POSITIVE',
  'AMOUNT_TOO_LARGE',
];
export const bodyRefusals = (...codes: readonly ErrorCode[]) => refusals(...WITH_BODY, 'VALIDATION_FAILED', ...codes);

/** A request's body, typed by its schema. */
export const jsonOf = <Schema extends z.ZodType>(schema: Schema, example?: unknown, required = true) => ({
  required,
  content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } },
});

/** Read by the edge itself, which gives its own refusals for them; declared here so that people can find and send them. */
const header = (description: string) => z.string().optional().openapi({ description });
export const ChangeHeaders = z.object({ 'If-Match': header('Refuse with 412 unless this is the ETag that was read') });
/** Declared for every mutation by its registration. */
export const IdempotencyKeyHeader = header(
  '1 to 255 visible ASCII characters. A repeat with the same key and the same request changes nothing and gets the first answer, ' +
    'with `Idempotency-Replayed: true`; the key with another request is refused. Kept for 30 days',
);
export const StartHeaders = z.object({
  Prefer: header('`respond-async` answers 202 at once; `wait=n` waits n seconds at the most'),
});
