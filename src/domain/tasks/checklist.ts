import type { ChecklistItem, TaskType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';

/** The checklist of a task: its own, or the property's for tasks of its type. */
export function checklistOf(
  own: readonly ChecklistItem[] | null,
  property: Readonly<Partial<Record<TaskType, readonly ChecklistItem[]>>>,
  type: TaskType,
): readonly ChecklistItem[] {
  return own ?? property[type] ?? [];
}

export interface CheckedItem {
  readonly id: string;
  readonly done: boolean;
  readonly note?: string | undefined;
  readonly photoIds?: readonly string[] | undefined;
}

/** Throws `VALIDATION_FAILED` for an item that is not on the list or answered twice, and `CHECKLIST_INCOMPLETE` for a required one left open. */
export function assertChecked(items: readonly ChecklistItem[], checked: readonly CheckedItem[]): void {
  const known = new Set(items.map((item) => item.id));
  const strange = checked.findIndex((item) => !known.has(item.id));
  if (strange >= 0) {
    throw new RoomyError('VALIDATION_FAILED', {
      details: { issues: [{ path: `checklist.${strange}.id`, message: 'is not on the checklist of this task' }] },
    });
  }
  const repeated = checked.findIndex(({ id }, index) => checked.findIndex((item) => item.id === id) < index);
  if (repeated >= 0) {
    throw new RoomyError('VALIDATION_FAILED', {
      details: { issues: [{ path: `checklist.${repeated}.id`, message: 'is answered twice' }] },
    });
  }
  const done = new Set(checked.filter((item) => item.done).map((item) => item.id));
  const open = items.filter((item) => item.required && !done.has(item.id));
  if (open.length > 0) {
    throw new RoomyError('CHECKLIST_INCOMPLETE', { details: { open: open.map(({ id, label }) => ({ id, label })) } });
  }
}
