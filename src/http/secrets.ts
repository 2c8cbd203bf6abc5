import { z } from '@hono/zod-openapi';

/** Fields of answers that give access: with them one can sign, read a calendar, or answer for an owner. */
const fields = new WeakSet<z.ZodType>();

/** Marks a field of an answer as a secret: such an answer is kept sealed. Last in the field's chain. */
export function secret<Schema extends z.ZodType>(schema: Schema): Schema {
  fields.add(schema);
  return schema;
}

/** Whether an answer of this schema has a secret anywhere. */
export function holdsSecret(schema: unknown): boolean {
  if (!(schema instanceof z.ZodType)) return false;
  if (fields.has(schema)) return true;
  if (schema instanceof z.ZodObject) return Object.values(schema.shape).some(holdsSecret);
  if (schema instanceof z.ZodArray) return holdsSecret(schema.element);
  if (schema instanceof z.ZodUnion) return schema.options.some(holdsSecret);
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return holdsSecret(schema.unwrap());
  }
  return false;
}
