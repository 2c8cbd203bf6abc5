import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isObject, type Json } from './compare-schemas.ts';

/** The contract of the last release, and the breaks that the next one will have, each with its reason. */
const FOLDER = path.join(import.meta.dirname, '../../docs/openapi');
export const RELEASED = path.join(FOLDER, 'released.json');
export const ACCEPTED = path.join(FOLDER, 'accepted-breaks.json');

export async function readObject(file: string): Promise<Json> {
  const value: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!isObject(value)) throw new Error(`${path.basename(file)} must hold an object`);
  return value;
}
export const textOf = (value: Json): string => `${JSON.stringify(value, null, 2)}\n`;
