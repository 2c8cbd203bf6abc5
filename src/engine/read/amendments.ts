import type { Db } from '../../db/client.ts';
import { amendmentsOf } from '../store/amendments.ts';
import type { AmendmentView, StepSummary } from '../types.ts';

/** What people have changed of the input of an execution, oldest first. */
export async function amendmentViews(
  db: Db,
  sagaId: string,
  steps: readonly Pick<StepSummary, 'name'>[] | null,
): Promise<readonly AmendmentView[]> {
  const rows = await amendmentsOf(db, sagaId);
  return rows.map(({ no, step_no, fields, amended_by, amended_at, reason }) => ({
    no,
    step: steps?.[step_no - 1]?.name ?? String(step_no),
    fields: typeof fields === 'object' && fields !== null && !Array.isArray(fields) ? { ...fields } : {},
    by: amended_by,
    at: amended_at.toISOString(),
    reason,
  }));
}
