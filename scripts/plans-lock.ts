import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { comparePlans, type Plans, plansOf } from '../src/engine/plan.ts';
import { DEFINITIONS } from '../src/sagas/index.ts';
import { plansText, withSagaTable } from './plans-text.ts';

/**
 * `npm run plans:lock`: adds the plans of new definitions to the lock, and to the table of docs/domain.md. A plan that is locked changes only by
 * `--replace <saga>@<version>`, for a version that was never deployed, and goes only by `--drop <saga>@<version>`.
 */
const LOCK = path.join(import.meta.dirname, '../src/sagas/plans.lock.json');
const DOMAIN = path.join(import.meta.dirname, '../docs/domain.md');
const { values } = parseArgs({
  options: { replace: { type: 'string', multiple: true }, drop: { type: 'string', multiple: true } },
});
const allowed = {
  added: () => true,
  changed: (id: string) => values.replace?.includes(id) ?? false,
  removed: (id: string) => values.drop?.includes(id) ?? false,
};

const locked = JSON.parse(readFileSync(LOCK, 'utf8')) as Plans;
const current = plansOf(DEFINITIONS);
const differences = comparePlans(locked, current);
const refused = differences.filter(({ id, what }) => !allowed[what](id));
for (const { message } of refused) console.error(message);
if (refused.length > 0) process.exitCode = 1;
else {
  writeFileSync(LOCK, plansText(current));
  writeFileSync(DOMAIN, withSagaTable(readFileSync(DOMAIN, 'utf8'), current));
}
for (const { id, what } of refused.length > 0 ? [] : differences) console.log(`${what}: ${id}`);
