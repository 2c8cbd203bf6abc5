import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import type { Db, Tx } from '../../db/client.ts';
import { DEVICES, gatewayUnknown, PAYOUT_BANK } from '../../domain/ports.ts';
import { type HoldView, holdView, listHolds } from '../../engine/read/holds.ts';
import { sagasInBrief } from '../../engine/read/stuck.ts';
import type { Hold as HeldSubject } from '../../engine/state.ts';
import { getHold, releaseHold, setHold } from '../../engine/store/holds.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { MONEY_SAGAS, SAGA_NAMES, STEP_NAMES } from '../../sagas/index.ts';
import { created, foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, type Services } from '../context.ts';
import { isOfEngine, isOperator, wordsShown } from '../masks.ts';
import { assertMayOperate } from '../operating.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import { Hold, HoldQuery, HoldRelease, NewHold } from '../schemas/holds.ts';

/** What people pause and resume: kept in Postgres, whatever becomes of Redis and the workers. */

const PATH = '/api/production/holds';
const tags = ['Operations'];

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List what is or was paused, newest first',
  request: { query: HoldQuery },
  responses: { 200: answer('A page of holds', many(Hold)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a hold',
  request: { params: IdParam },
  responses: { 200: answer('The hold', one(Hold)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const pause = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Pause sagas: one, a name, a step, the steps of another system, or all',
  request: {
    body: jsonOf(NewHold, { scope: 'NAME', subject: 'checkOut', reason: 'The locks get a new server tonight' }),
  },
  responses: {
    201: answer('Paused', one(Hold)),
    ...bodyRefusals('SAGA_NOT_FOUND', 'GATEWAY_UNKNOWN', 'INVALID_STATE_TRANSITION'),
  },
});
const release = createRoute({
  method: 'post',
  path: `${PATH}/{id}/release`,
  tags,
  summary: 'Resume what a hold has paused',
  request: { params: IdParam, body: jsonOf(HoldRelease, { reason: 'The new server is in use' }) },
  responses: { 200: answer('Resumed', one(Hold)), ...bodyRefusals('NOT_FOUND', 'INVALID_STATE_TRANSITION') },
});

export function registerHolds(register: Register, services: Services): void {
  const { db, ports } = services;
  register(list, (c) =>
    page(c, services, 'holds', c.req.valid('query'), (filter, at) =>
      listHolds(db, filter, at).then((found) => ({
        ...found,
        items: found.items.map((hold) => holdShown(c, hold)),
      })),
    ),
  );
  register(read, async (c) => foundVersion(c, holdShown(c, holdView(await getHold(db, c.req.valid('param').id)))));
  register.mutation(pause, (c, once) => {
    const { reason, ...wanted } = c.req.valid('json');
    const subject = subjectOf(wanted, ports.gatewayIds);
    return once.change(async (tx) => {
      await assertMayHold(c, tx, subject);
      return created(c, holdView(await setHold(tx, { ...subject, reason }, authorOf(c))), 'Paused');
    });
  });
  register.mutation(release, (c, once) => {
    const act = { ...c.req.valid('json'), id: c.req.valid('param').id };
    return once.change(async (tx) => {
      await assertMayHold(c, tx, await getHold(tx, act.id));
      return foundVersion(c, holdShown(c, holdView(await releaseHold(tx, act, authorOf(c)))));
    });
  });
}

/** What is to be paused, if there is such a thing. Throws `VALIDATION_FAILED`, `GATEWAY_UNKNOWN`. */
function subjectOf(
  { scope, subject }: Pick<z.output<typeof NewHold>, 'scope' | 'subject'>,
  gatewayIds: readonly string[],
): HeldSubject {
  if (scope === 'ALL') {
    if (subject !== undefined && subject !== 'ALL') throw notOne('`ALL` has no subject');
    return { scope, subject: 'ALL' };
  }
  if (subject === undefined) throw notOne(`\`${scope}\` needs a subject`);
  if (scope === 'NAME' && !SAGA_NAMES.includes(subject)) throw notOne(`There is no saga ${subject}`, SAGA_NAMES);
  if (scope === 'STEP' && !STEP_NAMES.includes(subject)) throw notOne(`There is no step ${subject}`, STEP_NAMES);
  const systems = [...gatewayIds, PAYOUT_BANK, DEVICES];
  if (scope === 'GATEWAY' && !systems.includes(subject)) throw gatewayUnknown(subject, systems);
  return { scope, subject };
}

const notOne = (text: string, known?: readonly string[]): RoomyError =>
  new RoomyError('VALIDATION_FAILED', {
    text,
    details: { issues: [{ path: 'subject', message: text }], ...(known ? { known } : {}) },
  });

/** Why, as far as the caller may read what people wrote. */
function holdShown(c: AnyContext, hold: HoldView): HoldView {
  if (!isOperator(c)) return hold;
  return {
    ...hold,
    reason: wordsShown(c, { by: hold.heldBy, words: hold.reason, isOfEngine: isOfEngine(hold) }),
    releaseReason: wordsShown(c, { by: hold.releasedBy, words: hold.releaseReason, isOfEngine: isOfEngine(hold) }),
  };
}

/** FINANCE pauses and resumes what is about money. */
async function assertMayHold(c: AnyContext, tx: Tx, hold: HeldSubject): Promise<void> {
  assertMayOperate(c, await isAboutMoney(tx, hold));
}

async function isAboutMoney(db: Db, { scope, subject }: HeldSubject): Promise<boolean> {
  if (scope === 'GATEWAY') return subject !== DEVICES;
  if (scope === 'ALL') return false;
  const name = scope === 'SAGA' ? (await sagasInBrief(db, [subject])).get(subject)?.name : subject.split('.')[0];
  return name !== undefined && MONEY_SAGAS.has(name);
}
