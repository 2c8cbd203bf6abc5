import type { Tx } from '../db/client.ts';
import {
  claimKey,
  type Earlier,
  findEarlier,
  freeKey,
  type KeptAnswer,
  type KeyClaim,
  keepAnswer,
  leaseKey,
} from '../domain/idempotency/store.ts';
import type { StartableSaga } from '../engine/types.ts';
import { InvariantError, RoomyError, required } from '../kernel/errors.ts';
import { canonicalJson, sha256 } from '../kernel/json.ts';
import { type ReservationSagas, reservationServiceBy } from '../sagas/reservation-service.ts';
import { type AnyContext, callerOf, inTransaction, type Services } from './context.ts';
import { assertMaySend, assertReach } from './reach.ts';
import { namesRecords, type ReferenceField } from './references.ts';
import { answerDone, isDryRun, rehearseWork } from './rehearsal.ts';
import { answerOfSaga, rehearseStart, type SagaStart, startSaga } from './start-saga.ts';
import { assertStillOwn } from './still-own.ts';

/**
 * The one way in which a request changes anything (guarantees.md 2.6). Registration gives each mutation a `Once`, and takes
 * from it nothing but what came out of it, so that no mutation can ignore an Idempotency-Key. A request without a key costs
 * no statement more.
 */
export interface Once {
  /**
   * A change in one transaction, whose answer is kept with it: a repeat gets the same status, bytes and headers. An
   * error of the work rolls everything back and leaves the key free; an answer is kept, a refusal too. Runs again when it
   * lost a deadlock.
   */
  change(work: (tx: Tx, afterCommit: (hook: () => void) => void) => Promise<Response>): Promise<Kept>;
  /** The same for a body that only the route could read: `digest` stands for it in the key's hash. */
  changeBy(digest: string, work: (tx: Tx) => Promise<Response>): Promise<Kept>;
  /**
   * A call to the outside, which no transaction may span. The key is leased while it is under way; when the process dies
   * in between, a repeat calls again once the lease is over, so what the call sends must be known by `occasion`, which is
   * the same for every request with the key.
   */
  outside(work: (occasion: string) => Promise<Response>): Promise<Kept>;
  /** The sagas about a stay, started like `saga` does. */
  readonly reservations: ReservationSagas<Omit<SagaStart<unknown>, 'subjectId' | 'input'>, Kept>;
  /** A saga, whose acceptance claims the key itself and whose end is the answer. */
  saga<Input>(definition: StartableSaga<Input>, start: SagaStart<Input>): Promise<Kept>;
  /** The answer, now or later, of a saga that was started without a key. */
  answerOf(sagaId: string): Promise<Kept>;
}

declare const KEPT: unique symbol;
/** An answer that came out of `Once`. */
export type Kept = Response & { readonly [KEPT]: true };
const keptHere = new WeakSet<Response>();
function kept(response: Response): Kept {
  keptHere.add(response);
  // The one place that makes the brand.
  return response as Kept;
}

/** Throws for an answer that was made around `Once`: a compiler may be talked out of a type. */
export function assertKept(response: Response): Response {
  if (!keptHere.has(response)) throw new InvariantError('a mutation answered around its Idempotency-Key');
  return response;
}

/** The caller's key; null without one. Throws `INVALID_IDEMPOTENCY_KEY`. */
export function keyOf(c: AnyContext): string | null {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new RoomyError('INVALID_IDEMPOTENCY_KEY');
  return key;
}

/**
 * The request that a key stands for: method, path, body, and the query where there is one (it decides what a body means: the
 * gateway of a file). Not `If-Match` and not `Prefer`: they say when and how to answer, so a repeat with the ETag that the
 * first request has made gets the first answer instead of a refusal.
 */
function hashOf(c: AnyContext, body: string): Buffer {
  const query = c.req.query();
  const parts = Object.keys(query).length === 0 ? [] : [canonicalJson(query)];
  return sha256(c.req.method, c.req.path, body, ...parts);
}

export interface MutationTraits {
  /** The answer holds a secret, and is kept sealed. */
  readonly secret: boolean;
  /** What the fields of the body refer to: checked in the transaction of each change, and before each saga and call. */
  readonly references: readonly ReferenceField[];
  /** The body as validated; undefined: the route reads it itself and calls `changeBy`. */
  readonly body: unknown;
}

/** Answers a repeat from what is kept, before anything of the route runs; else lets the route go to work. */
export async function serveOnce(
  c: AnyContext,
  services: Services,
  traits: MutationTraits,
  serve: (once: Once) => Promise<Kept>,
): Promise<Response> {
  assertMaySend(c, traits.references, traits.body);
  // A dry run does nothing that a repeat could do twice: it takes no key.
  const key = isDryRun(c) ? null : keyOf(c);
  if (key === null) return assertKept(await serve(onceOf(c, services, traits, () => null)));
  const claim = (body: string): KeyClaim => ({ principal: callerOf(c).principal, key, requestHash: hashOf(c, body) });
  const { body } = traits;
  if (body === undefined) {
    return assertKept(await serve(onceOf(c, services, traits, (digest) => claim(required(digest, 'a digest')))));
  }
  const known = claim(canonicalJson(body));
  const earlier = await findEarlier(services.db, services.answers, known);
  if (earlier) return replay(c, services, earlier);
  return assertKept(await serve(onceOf(c, services, traits, () => known)));
}

function onceOf(
  c: AnyContext,
  services: Services,
  { secret, references, body }: MutationTraits,
  claimOf: (digest?: string) => KeyClaim | null,
): Once {
  const seal = secret ? services.answers : null;
  const checkReach = (tx: Tx) => assertReach(c, tx, references, body);
  const checkBefore = async (): Promise<void> => {
    if (namesRecords(references)) await inTransaction(services, checkReach);
  };
  const change = async (
    claim: KeyClaim | null,
    work: (tx: Tx, afterCommit: (hook: () => void) => void) => Promise<Response>,
  ): Promise<Kept> => {
    if (isDryRun(c)) {
      const rehearsed = async (tx: Tx): Promise<void> => {
        await checkReach(tx);
        await work(tx, () => undefined);
      };
      return kept(await rehearseWork(c, services, c.req.param('id') ?? '', rehearsed));
    }
    let hooks: (() => void)[] = [];
    const done = await inTransaction(services, async (tx) => {
      hooks = [];
      await checkReach(tx);
      if (claim !== null && !(await claimKey(tx, claim))) return null;
      const response = await work(tx, (hook) => hooks.push(hook));
      if (claim === null) return response;
      const answer = await answerIn(response);
      await keepAnswer(tx, claim, answer, seal);
      return responseOf(answer, false);
    });
    if (done === null) return replayed(required(claim, 'a claim'));
    for (const hook of hooks) hook();
    return kept(done);
  };
  /** The key was taken by a request that has committed while this one waited. */
  const replayed = async (claim: KeyClaim): Promise<Kept> => {
    const earlier = await findEarlier(services.db, services.answers, claim);
    // It is leased for a call to the outside, or was so a moment ago.
    if (!earlier) throw new RoomyError('IDEMPOTENCY_IN_PROGRESS');
    return replay(c, services, earlier);
  };
  const saga: Once['saga'] = async (definition, start) => {
    await checkBefore();
    if (isDryRun(c)) return kept(await rehearseStart(c, services, definition, start));
    const claim = claimOf();
    const idempotency = claim && { key: claim.key, requestHash: claim.requestHash, lookedUp: true };
    return kept(await startSaga(c, services, definition, start, idempotency));
  };
  return {
    reservations: reservationServiceBy((definition, subjectId, input, context) =>
      saga(definition, { subjectId, input, ...context }),
    ),
    saga,
    change: (work) => change(claimOf(), work),
    changeBy: (digest, work) => change(claimOf(digest), work),
    outside: async (work) => {
      await checkBefore();
      const claim = claimOf();
      if (claim === null) return kept(await work(c.get('requestId')));
      if (!(await leaseKey(services.db, claim))) return replayed(claim);
      let answer: Omit<KeptAnswer, 'kind'>;
      try {
        const occasion = sha256(claim.principal, claim.key, claim.requestHash.toString('hex')).toString('hex');
        answer = await answerIn(await work(occasion));
      } catch (error) {
        await freeKey(services.db, claim);
        throw error;
      }
      await keepAnswer(services.db, claim, answer, seal);
      return kept(responseOf(answer, false));
    },
    answerOf: async (sagaId) => kept(isDryRun(c) ? answerDone(c) : await answerOfSaga(c, services, sagaId)),
  };
}

async function replay(c: AnyContext, services: Services, earlier: Earlier): Promise<Kept> {
  await assertStillOwn(c, services, earlier.kind === 'answer' ? earlier.headers['location'] : undefined);
  if (earlier.kind === 'saga') return kept(await answerOfSaga(c, services, earlier.sagaId));
  return kept(responseOf(earlier, true));
}

/** Headers that a repeat gets as well; all others belong to the request, not to the change. */
const KEPT_HEADERS = ['content-type', 'etag', 'location', 'cache-control'] as const;

async function answerIn(response: Response): Promise<Omit<KeptAnswer, 'kind'>> {
  const headers = KEPT_HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return {
    status: response.status,
    headers: Object.fromEntries(headers),
    body: Buffer.from(await response.arrayBuffer()),
  };
}

function responseOf({ status, headers, body }: Omit<KeptAnswer, 'kind'>, isReplay: boolean): Response {
  const all = new Headers({ ...(body.length > 0 ? { 'content-type': JSON_TYPE } : {}), ...headers });
  if (isReplay) all.set('Idempotency-Replayed', 'true');
  return new Response(body.length === 0 ? null : new Uint8Array(body), { status, headers: all });
}

/** Of answers that were kept before headers were. */
const JSON_TYPE = 'application/json; charset=utf-8';
