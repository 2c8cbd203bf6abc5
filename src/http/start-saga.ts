import { acceptedAnswer } from '../engine/accept.ts';
import type {
  AcceptedSaga,
  IdempotencyClaim,
  SagaAnswer,
  SagaRequest,
  StartableSaga,
  SubjectScope,
} from '../engine/types.ts';
import { executionPath } from '../kernel/links.ts';
import { prefixOf } from '../kernel/path-prefix.ts';
import { limitOfCaller } from '../kernel/rate-limits.ts';
import { type AnyContext, type AppDeps, callerOf, originOf } from './context.ts';
import { withPrefixedLinks } from './prefix.ts';
import { answerRehearsal } from './rehearsal.ts';

export interface SagaStart<Input> {
  readonly subjectId: string;
  readonly input: Input;
  /** Whom the body names as the one who acts; the one who acts is the caller (domain.md T14). */
  readonly onBehalfOf: string | undefined;
  readonly notes?: string | undefined;
  /** What the plan of a dry run tells besides. */
  readonly besidePlan?: () => Promise<object>;
}

/**
 * Accepts a saga and answers with its end, or with 202 as soon as it waits for a person, or when it does not end in time
 * (domain.md T5). All answers are stored bytes, so a repeat with the same Idempotency-Key reads the same.
 */
export async function startSaga<Input>(
  c: AnyContext,
  deps: AppDeps,
  definition: StartableSaga<Input>,
  start: SagaStart<Input>,
  idempotency: IdempotencyClaim | null,
): Promise<Response> {
  const wanted = preferred(c.req.header('prefer'), deps.sagaWaitMs);
  const saga = await deps.orchestrator.accept(definition, { ...requestOf(c, deps, start), idempotency });
  return answerWithin(c, deps, saga, wanted);
}

/** Answers what the saga would do; it is not started. */
export const rehearseStart = <Input>(
  c: AnyContext,
  deps: AppDeps,
  definition: StartableSaga<Input>,
  start: SagaStart<Input>,
): Promise<Response> => answerRehearsal(c, deps, definition, requestOf(c, deps, start), start.besidePlan);

function requestOf<Input>(
  c: AnyContext,
  deps: AppDeps,
  start: SagaStart<Input>,
): Omit<SagaRequest<Input>, 'idempotency'> {
  const caller = callerOf(c);
  const maxOpen = deps.limits && limitOfCaller(deps.limits.numbers, caller, 'open-sagas');
  return {
    subjectId: start.subjectId,
    input: start.input,
    requester: {
      sub: caller.principal,
      ...originOf(c),
      ...(maxOpen === undefined ? {} : { maxOpen }),
    },
    ...withinScope(c),
    onBehalfOf: start.onBehalfOf ?? null,
    notes: start.notes ?? null,
  };
}

/** Decided once more where the saga is accepted, on the locked stay: it may have been given to somebody else since it was looked at (security.md Z11). */
function withinScope(c: AnyContext): { readonly within?: SubjectScope } {
  const caller = callerOf(c);
  if (caller.kind === 'service') return {};
  if (caller.role === 'GUEST') return { within: { guestId: caller.principal } };
  return caller.role === 'AGENT' ? { within: { agentId: caller.principal } } : {};
}

/** The answer of a saga that an earlier request has started, waited for like the first one's. */
export async function answerOfSaga(c: AnyContext, deps: AppDeps, sagaId: string): Promise<Response> {
  const saga = { sagaId, replayed: true, accepted: acceptedAnswer(sagaId) };
  return answerWithin(c, deps, saga, preferred(c.req.header('prefer'), deps.sagaWaitMs));
}

async function answerWithin(c: AnyContext, deps: AppDeps, saga: AcceptedSaga, wanted: Preference): Promise<Response> {
  const headers = new Headers(saga.replayed ? { 'Idempotency-Replayed': 'true' } : undefined);
  // A fresh saga cannot have ended yet; a repeated one may have, and then its end is the answer.
  const wait = wanted.waitMs > 0 || saga.replayed;
  const ended = wait ? await deps.orchestrator.waitForAnswer(saga.sagaId, wanted.waitMs, c.req.raw.signal) : null;
  const answer = ended ?? saga.accepted;
  const open = answer.status === 202;
  const applied = [...(wanted.wait ? [wanted.wait] : []), ...(wanted.async && open ? ['respond-async'] : [])];
  if (applied.length > 0) headers.set('Preference-Applied', applied.join(', '));
  if (open) {
    headers.set('Location', executionPath(saga.sagaId));
    headers.set('Retry-After', String(ended ? PERSON_RETRY_SECONDS : PENDING_RETRY_SECONDS));
    const text = withPrefixedLinks(prefixOf(deps.publicUrl), answer.body.toString());
    return stored({ ...answer, body: Buffer.from(text) }, headers);
  }
  const seconds = retryAfterSeconds(answer, deps.clock.now());
  if (seconds !== null) headers.set('Retry-After', String(seconds));
  return stored(answer, headers);
}

const PENDING_RETRY_SECONDS = 1;
/** A parked saga goes on when a person has looked at it. */
const PERSON_RETRY_SECONDS = 60;

const DEFAULT_RETRY_SECONDS = 5;

/** When to come back, if coming back can help: the gateway's own advice, which stands in the body. */
function retryAfterSeconds({ status, body }: SagaAnswer, now: Date): number | null {
  if (status !== 402 && status !== 503) return null;
  const { details } = JSON.parse(body.toString()) as { readonly details?: { readonly retryAfter?: unknown } };
  const at = typeof details?.retryAfter === 'string' ? Date.parse(details.retryAfter) : Number.NaN;
  if (!Number.isNaN(at)) return Math.max(1, Math.ceil((at - now.getTime()) / 1000));
  return status === 503 ? DEFAULT_RETRY_SECONDS : null;
}

function stored(answer: SagaAnswer, headers: Headers): Response {
  headers.set('Content-Type', 'application/json; charset=utf-8');
  return new Response(new Uint8Array(answer.body), { status: answer.status, headers });
}

interface Preference {
  readonly waitMs: number;
  readonly async: boolean;
  /** The wait that the caller asked for, when it is granted in full. */
  readonly wait: string | null;
}

/** `Prefer: respond-async` and `wait=n` (RFC 7240): with both, wait n seconds before answering 202. Unknown preferences are ignored. */
export function preferred(header: string | undefined, maxWaitMs: number): Preference {
  const tokens = (header ?? '').split(',', 10).map((token) => token.trim().toLowerCase());
  const isAsync = tokens.includes('respond-async');
  const seconds = tokens.map((token) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(token)?.[1]).find((n) => n !== undefined);
  if (seconds === undefined) return { waitMs: isAsync ? 0 : maxWaitMs, async: isAsync, wait: null };
  const askedMs = Number(seconds) * 1000;
  return {
    waitMs: Math.min(askedMs, maxWaitMs),
    async: isAsync,
    wait: askedMs <= maxWaitMs ? `wait=${Number(seconds)}` : null,
  };
}
