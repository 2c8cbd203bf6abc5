import type pg from 'pg';
import { endpointFields, withValue } from '../http/body-fields.ts';
import { at, type Http } from '../http/harness.ts';
import { fixtureOf, MUTATIONS, methodOf } from '../http/valid-requests.ts';
import type { Contract } from '../openapi/contract.ts';

/** Words that stand nowhere else, sent in every field of every body; and where they are found in the database afterwards. */

/** In the forms that a field may ask for; each has the number in it. */
const FORMS: readonly ((n: number) => string)[] = [
  (n) => `cnry${n}x`,
  (n) => `cnry${n}x@example.com`,
  (n) => `+971500${String(n).padStart(6, '0')}`,
  (n) => `https://93.184.216.34/cnry${n}x`,
];
const CANARY = /cnry\d+x|\+971500\d{6}/;

/** Sends one to each field that takes a text; answers how many were taken, and the secrets that were answered. */
export async function sendCanaries(http: Http, contract: Contract): Promise<{ taken: number; secrets: string[] }> {
  const secrets: string[] = [];
  let n = 0;
  let taken = 0;
  for (const endpoint of MUTATIONS) {
    const { path: valid, ...rest } = await fixtureOf(endpoint).prepare(http);
    secrets.push(...secretsIn(at((await http.call(methodOf(endpoint), valid, rest)).body, 'data')));
    for (const { path, schema } of endpointFields(contract, endpoint)) {
      for (const form of FORMS) {
        n += 1;
        const request = await fixtureOf(endpoint).prepare(http);
        if (request.raw !== undefined) break;
        const { path: address, body, ...call } = request;
        const spoilt = withValue(contract, body ?? {}, path, form(n), schema);
        const answer = await http.call(methodOf(endpoint), address, { ...call, body: spoilt });
        if (answer.status >= 300) continue;
        taken += 1;
        secrets.push(...secretsIn(at(answer.body, 'data')));
        break;
      }
    }
  }
  return { taken, secrets };
}

/** What an answer shows once: keys, secrets, and the random part of links. */
const secretsIn = (data: unknown): string[] =>
  Object.entries(Object(data) as object).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value !== 'string' || !/(?:key|secret|token|ticket|url|link)$/i.test(name)) return [];
    const random = name.toLowerCase().includes('secret')
      ? value
      : (value.split(/[/=]/).at(-1) ?? '').replace(/\.ics$/, '');
    return random.length > 20 && !/cnry/.test(random) ? [random] : [];
  });

/** Tables with the columns in which one of the words, or a secret, stands so that it can be read. */
export async function readable(
  app: pg.Client,
  secrets: readonly string[],
): Promise<Readonly<Record<string, readonly string[]>>> {
  const { rows: tables } = await app.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1`,
  );
  const found: Record<string, readonly string[]> = {};
  for (const { name } of tables) {
    const { rows } = await app.query<{ row: Record<string, unknown> }>(
      `SELECT to_jsonb(t) AS row FROM ${app.escapeIdentifier(name)} t`,
    );
    const columns = new Set<string>();
    for (const { row } of rows)
      for (const [column, value] of Object.entries(row)) if (isClear(value, secrets)) columns.add(column);
    if (columns.size > 0) found[name] = [...columns].toSorted();
  }
  return found;
}
function isClear(value: unknown, secrets: readonly string[]): boolean {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return false;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const plain = /^\\x(?:[0-9a-f]{2})+$/.test(text) ? Buffer.from(text.slice(2), 'hex').toString('latin1') : text;
  return CANARY.test(plain) || secrets.some((secret) => plain.includes(secret));
}
