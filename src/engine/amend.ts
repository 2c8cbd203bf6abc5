import { sql } from 'kysely';
import type { Tx } from '../db/client.ts';
import type { Json } from '../db/schema.ts';
import { RoomyError } from '../kernel/errors.ts';
import type { SagaDefinition } from './definition.ts';
import { type DefinitionOf, dueIn, type Locked, lockForAct, notNow, operatorNote } from './operator.ts';
import { NEEDS_APPROVAL, type Resumed, resumeWithin } from './resume.ts';
import { insertAmendment } from './store/amendments.ts';
import { writeAudit } from './store/audit.ts';
import { pendingCompensations } from './store/steps.ts';
import type { AmendAct } from './types.ts';

/** So often may the input of one saga be amended. */
const MAX_AMENDMENTS = 100;

/**
 * Changes fields of the input of a parked saga, and has it go on where it stopped: that step and those behind it read the new values,
 * those before it keep what they have done. Only fields that the definition allows (`amendable`), each by the schema that stands there.
 * The frozen input and the fingerprint of the request stay. Throws `SAGA_NOT_FOUND`, `SAGA_NOT_PARKED`, `VALIDATION_FAILED` (a field is not
 * amended, or has no such value), `INVALID_STATE_TRANSITION` (it is being undone), `APPROVAL_REQUIRED`, `SAGA_IN_PROGRESS`,
 * `SERVICE_UNAVAILABLE`. The order is to be published once the transaction is committed.
 */
export async function amendWithin(tx: Tx, definitionOf: DefinitionOf, act: AmendAct): Promise<Resumed> {
  const locked = await lockForAct(tx, definitionOf, act.sagaId);
  const { saga, state, definition } = locked;
  if (saga.status !== 'parked') throw new RoomyError('SAGA_NOT_PARKED', { details: { status: saga.status } });
  if ((await pendingCompensations(tx, state.id)).length > 0)
    throw notNow('It is being undone, with the input that it had', { status: saga.status });
  // A second person is asked about what was asked for, and about nothing else.
  if (saga.error_code === NEEDS_APPROVAL) throw new RoomyError('APPROVAL_REQUIRED');
  const fields = fieldsOf(definition, act.input);
  const no = state.amendments + 1;
  if (no > MAX_AMENDMENTS) throw notNow(`It was amended ${MAX_AMENDMENTS} times: resolve it`, { amendments: no - 1 });
  await assertWhole(tx, locked, fields);
  const { step } = dueIn(locked, 'F');
  const { by, reason } = act;
  await insertAmendment(tx, { sagaId: state.id, no, fields, stepNo: step.no, reason, by });
  // The trail names the fields alone: their values may be personal, and are in the row of the amendment.
  const note = { step: step.no, amendment: no, fields: Object.keys(fields).join(', '), reason };
  await writeAudit(tx, state.id, operatorNote(state, act, 'SAGA_AMENDED', note));
  return resumeWithin(tx, definitionOf, act);
}

function fieldsOf({ amendable }: SagaDefinition, input: AmendAct['input']): Readonly<Record<string, Json>> {
  const issues: { path: string; message: string }[] = [];
  const fields: Record<string, Json> = {};
  for (const [field, value] of Object.entries(input)) {
    const parsed = amendable && Object.hasOwn(amendable, field) ? amendable[field]?.safeParse(value) : undefined;
    if (parsed === undefined) issues.push({ path: `input.${field}`, message: 'This field is not amended' });
    else if (parsed.success) fields[field] = parsed.data;
    else
      issues.push(
        ...parsed.error.issues.map(({ message }) => ({ path: `input.${field}`, message: message.slice(0, 200) })),
      );
  }
  if (issues.length > 0)
    throw new RoomyError('VALIDATION_FAILED', { details: { issues, known: Object.keys(amendable ?? {}) } });
  return fields;
}

/** The definition still takes it as a whole. */
async function assertWhole(
  tx: Tx,
  { state, definition }: Locked,
  fields: Readonly<Record<string, Json>>,
): Promise<void> {
  const after = { ...state.input, ...fields };
  try {
    definition.input.parse(after);
  } catch (error) {
    throw new RoomyError('VALIDATION_FAILED', { text: 'The amended input is not one of this saga', cause: error });
  }
  const { rows } = await sql<{ now: Date }>`SELECT now() AS now`.execute(tx);
  const text = definition.mayAmend?.({ before: state.input, after, now: rows[0]?.now ?? new Date() }) ?? null;
  if (text !== null) throw new RoomyError('VALIDATION_FAILED', { text });
}
