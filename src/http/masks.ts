import type { HoldScope } from '../db/schema.ts';
import type { EventView } from '../domain/events/feed.ts';
import { DEVICES } from '../domain/ports.ts';
import type { ExecutionDetail, ExecutionView } from '../engine/types.ts';
import { MONEY_SAGAS } from '../sagas/index.ts';
import { isCode } from './codes.ts';
import { type AnyContext, callerOf } from './context.ts';
import { permits, policyOf } from './policy.ts';

/**
 * What runs the system, without money and guests (security.md O10): operators see how far a process is and why it stands, and neither
 * a name nor an amount; a service sees amounts only with `finance:read`. Fields keep their names and are null.
 */

/** Who runs the system: counts, times and codes of everything, no name and no amount. */
export const isOperator = (c: AnyContext): boolean => {
  const caller = callerOf(c);
  return caller.kind === 'person' && caller.role === 'OPS';
};
/** Services see it with `finance:read`. */
export const seesMoney = (c: AnyContext): boolean => {
  const caller = callerOf(c);
  return caller.kind === 'service' ? caller.scopes.has('finance:read') : caller.role !== 'OPS';
};

/** Numbers that are no money; every other one is hidden, so that a new amount is hidden by itself. */
const NO_AMOUNT =
  /(?:version|percent|count|created|sent|completed|attempts?|step|ordinal|generation|seq|status|minutes|days|hours|ms)$/i;
const AMOUNT_AS_TEXT = /^-?\d+(?:\.\d+)?$/;

interface Mask {
  /** Whether only codes are shown of texts. */
  readonly people: boolean;
  /** Whether amounts are hidden; default true. */
  readonly amounts?: boolean;
  readonly event: string | null;
}

function masked(value: unknown, key: string, mask: Mask): unknown {
  if (Array.isArray(value)) return value.map((member) => masked(member, key, mask));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, masked(field, name, mask)]));
  }
  const { amounts = true } = mask;
  if (typeof value === 'number') return !amounts || NO_AMOUNT.test(key) ? value : null;
  if (typeof value !== 'string') return value;
  if (amounts && AMOUNT_AS_TEXT.test(value) && !/Id$/.test(key)) return null;
  return mask.people && !isCode(value, key, mask.event) ? null : value;
}

/** Details of something that happened, as far as the caller may see them. `event`: of the audit trail, or the record of the feed. */
export function detailsShown<T>(c: AnyContext, details: T, event: string | null = null): T {
  return seesMoney(c) ? details : (masked(details, '', { people: isOperator(c), event }) as T);
}

/** Without what a person wrote, whoever reads it; amounts for those who see money. */
export const impersonal = <T>(c: AnyContext, value: T): T =>
  masked(value, '', { people: true, amounts: !seesMoney(c), event: 'saga' }) as T;

const recordOf = ({ type }: EventView): string => type.split('.')[0] ?? '';
export const eventShown = (c: AnyContext, event: EventView): EventView =>
  seesMoney(c) ? event : { ...event, data: detailsShown(c, event.data, recordOf(event)) };

/**
 * What a person wrote about one stay or about money, or a code in its place, is not for operators, unless they wrote it; what concerns the
 * engine as a whole is (security.md O10).
 */
export function wordsShown(
  c: AnyContext,
  {
    by,
    words,
    isOfEngine,
  }: { readonly by: string | null; readonly words: string | null; readonly isOfEngine: boolean },
): string | null {
  return !isOperator(c) || isOfEngine || by === callerOf(c).principal ? words : null;
}

/** Of what is paused: all of a kind, and none of it money. One saga may be anybody's. */
export function isOfEngine({ scope, subject }: { readonly scope: HoldScope; readonly subject: string }): boolean {
  if (scope === 'ALL') return true;
  if (scope === 'GATEWAY') return subject === DEVICES;
  return scope !== 'SAGA' && !MONEY_SAGAS.has(subject.split('.')[0] ?? '');
}

/** An execution with or without its steps. */
export function executionShown<T extends ExecutionView & Partial<Pick<ExecutionDetail, 'steps' | 'amendments'>>>(
  c: AnyContext,
  saga: T,
): T {
  const steps = saga.steps?.map((step) => ({ ...step, skipped: reasonShown(c, step.skipped) }));
  const amendments = saga.amendments?.map((amendment) => ({
    ...reasonShown(c, amendment),
    fields: detailsShown(c, amendment.fields),
  }));
  const shown = {
    ...saga,
    pausedBy: reasonShown(c, saga.pausedBy, saga.pausedBy !== null && isOfEngine(saga.pausedBy)),
    ...(steps && { steps }),
    ...(amendments && { amendments }),
  };
  if (seesMoney(c)) return shown;
  const { error } = saga;
  return {
    ...shown,
    notes: isOperator(c) ? null : saga.notes,
    error: error && { ...error, details: detailsShown(c, error.details) },
    ...(steps && {
      steps: steps.map((step) => ({
        ...step,
        output: detailsShown(c, step.output),
        error: detailsShown(c, step.error),
      })),
    }),
  };
}

/** Why somebody has paused it, or skipped a step, is for those who read holds. */
function reasonShown<T extends { readonly by: string; readonly reason: string | null } | null>(
  c: AnyContext,
  act: T,
  isOfEngine = false,
): T {
  if (act === null) return act;
  const policy = policyOf('GET', '/api/production/holds');
  const mayRead = policy === 'anonymous' || permits(policy, callerOf(c));
  const reason = mayRead ? wordsShown(c, { by: act.by, words: act.reason, isOfEngine }) : null;
  return { ...act, reason };
}

export const executionsShown = async <T extends ExecutionView>(
  c: AnyContext,
  sagas: Promise<readonly T[]>,
): Promise<readonly T[]> => (await sagas).map((saga) => executionShown(c, saga));
