import { needsSecondFactor } from '../domain/people/accounts.ts';
import type { Caller } from './caller.ts';
import type { Policy } from './policy.ts';

/**
 * Step-up (security.md S3): acts on money, on accounts, keys and webhooks need a second factor of the last minutes. Which
 * acts these are is said by each entry of the table of rights.
 */

/** Decides by the body of a request, as its schema has read it. */
export type IsGrave = (body: unknown) => boolean;
export type StepUp = 'ALWAYS' | 'NEVER' | IsGrave;

const STEP_UP_WITHIN_MS = 15 * 60_000;

const fieldOf = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined;

/** A request that has one of these fields, `null` too. */
export const namesAny =
  (fields: readonly string[]): IsGrave =>
  (body) =>
    fields.some((name) => fieldOf(body, name) !== undefined);

/** A cancellation that may give more than the policy. */
export const isOverride: IsGrave = (body) =>
  fieldOf(body, 'refundPercentOverride') !== undefined || (fieldOf(body, 'initiator') ?? 'GUEST') !== 'GUEST';

/** Whether some request of an endpoint may be refused with `STEP_UP_REQUIRED`. */
export const mayNeedStepUp = ({ stepUp, roles }: Policy): boolean =>
  stepUp !== null && stepUp !== 'NEVER' && roles.some(needsSecondFactor);

/** Whether it is known before anything of the request is read. */
export const alwaysNeedsStepUp = ({ stepUp }: Policy): boolean => stepUp === 'ALWAYS';

export const needsStepUpFor = ({ stepUp }: Policy, body: unknown): boolean =>
  typeof stepUp === 'function' && stepUp(body);

/** A second factor that was given at this moment still counts as one of late. */
export const isFresh = (mfaAt: Date | null, now: Date): boolean =>
  mfaAt !== null && now.getTime() - mfaAt.getTime() <= STEP_UP_WITHIN_MS;

/**
 * Whether this caller has given a second factor of late, or is not asked: machines, our own tokens without a session, which are
 * for development, and people in roles that need no second factor, such as an agent who takes a payment at the desk.
 */
export function isSteppedUp(caller: Caller, now: Date): boolean {
  if (caller.kind === 'service' || caller.role === null || !needsSecondFactor(caller.role)) return true;
  const proof = caller.session ?? caller.provider ?? null;
  if (proof === null) return true;
  return isFresh(proof.mfaAt, now);
}
