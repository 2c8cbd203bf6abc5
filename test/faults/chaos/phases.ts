import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RunningPostgres } from '../../../scripts/services/postgres.ts';
import type { RunningRedis } from '../../../scripts/services/redis.ts';
import { newKey } from './driver.ts';
import type { LaunchPlan } from './fleet.ts';
import {
  anyOperation,
  burst,
  fault,
  load,
  mustSettle,
  openSagas,
  operation,
  pileUp,
  type Stage,
  takeFrom,
} from './stage.ts';

/** The script: each phase makes one kind of fault while sagas are running, and waits until they have ended. */

const PILE = 200;

export async function killWorkers(stage: Stage, rounds = 6): Promise<void> {
  const { random, fleet } = stage;
  const open: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    await pileUp(stage, PILE);
    await sleep(random.between(10, 120));
    for (let kill = 0; kill < 2; kill += 1) {
      const victim = random.pick(fleet.running('worker'));
      await fleet.kill(victim);
      await fault(stage, 'SIGKILL worker');
      open.push(await openSagas(stage));
      await sleep(random.between(50, 900));
    }
    await mustSettle(stage, `kills of round ${round}`);
  }
  stage.say(`  ${open.length} kills, with ${open.join(', ')} sagas open`);
  if (open.filter((many) => many > 0).length < 8) stage.problems.push('too few workers died with sagas running');
}

/** Crash point A2 of guarantees.md 2.9: committed, not yet published, nobody answered. */
export async function killBetweenCommitAndPublish(
  stage: Stage,
  plan: LaunchPlan,
  url: string,
  rounds = 10,
): Promise<void> {
  const { random, fleet, driver, db } = stage;
  const answers: Promise<unknown>[] = [];
  let unpublished = 0;
  let repeated = 0;
  for (let round = 1; round <= rounds; round += 1) {
    const name = `dying-api-${round}`;
    const dieAt = random.between(1, 4);
    await fleet.launch(name, { ...plan, env: { ...plan.env, CHAOS_DIE_AT: String(dieAt) }, respawn: false });
    await fleet.ready(name);
    const end = fleet.ended(name);
    const operations = Array.from({ length: dieAt }, () => {
      const { prefer: _, ...rest } = operation(stage, takeFrom(stage.stays.plain), {}, 'completed');
      return { ...rest, firstTo: url };
    });
    for (const one of operations) {
      answers.push(
        driver.perform(one).then((answer) => {
          if (answer.attempts > 1) repeated += 1;
          if (answer.status !== 200) stage.problems.push(`repeat after a killed API: ${answer.status} ${answer.code}`);
        }),
      );
    }
    const how = await Promise.race([end, sleep(10_000, 'still running')]);
    if (how !== 'SIGKILL') stage.problems.push(`${name} did not die at its failpoint: ${how}`);
    const keys = operations.map((one) => one.key);
    const [row] = await db.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM idempotency_key k JOIN saga s ON s.id = k.saga_id JOIN outbox o ON o.saga_id = s.id AND o.published_at IS NULL
        WHERE k.key = ANY($1)`,
      [keys],
    );
    unpublished += row?.n ?? 0;
    if ((row?.n ?? 0) > 0) await fault(stage, 'SIGKILL API between commit and publish');
  }
  await Promise.all(answers);
  stage.say(`  ${unpublished} sagas committed and not published, ${repeated} requests repeated with their key`);
  if (repeated === 0) stage.problems.push('no request had to be repeated');
  await mustSettle(stage, 'the kills between commit and publish');
}

export async function killApis(stage: Stage, kills = 4): Promise<void> {
  const { random, fleet } = stage;
  const stream = load(stage, 30);
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(random.between(400, 1_200));
    const victim = random.pick(fleet.running('api'));
    await fleet.kill(victim);
    await fault(stage, 'SIGKILL API');
    await fleet.ready(victim);
  }
  await stream.stop();
  await mustSettle(stage, 'the kills of the API');
}

export async function loseRedis(stage: Stage, redis: RunningRedis, client: Redis): Promise<void> {
  const { random, fleet, driver } = stage;
  for (let round = 0; round < 3; round += 1) {
    await pileUp(stage, 120);
    await sleep(random.between(5, 80));
    const open = await openSagas(stage);
    await client.flushall();
    await fault(stage, 'FLUSHALL');
    stage.say(`  FLUSHALL with ${open} sagas open`);
    await mustSettle(stage, 'FLUSHALL');
  }
  for (let round = 0; round < 2; round += 1) {
    const stream = load(stage, 25);
    await pileUp(stage, 100);
    await sleep(random.between(5, 80));
    const open = await openSagas(stage);
    await redis.kill();
    await sleep(random.between(100, 1_500));
    await redis.restart({ empty: true });
    await fault(stage, 'Redis SIGKILL, back empty');
    stage.say(`  Redis killed with ${open} sagas open`);
    await stream.stop();
    await mustSettle(stage, 'Redis came back empty');
  }

  await redis.kill();
  await sleep(300);
  const accepted = await Promise.all(
    Array.from({ length: 80 }, (_, index) => {
      const one = anyOperation(stage);
      return driver.attempt(index % 8 === 0 ? { ...one, prefer: 'wait=1' } : one);
    }),
  );
  const good = accepted.filter((answer) => answer?.status === 202);
  const slowest = Math.max(...accepted.map((answer) => answer?.ms ?? 0));
  stage.say(
    `  without Redis: ${good.length} of ${accepted.length} requests answered 202, the slowest in ${Math.round(slowest)} ms`,
  );
  if (good.length < accepted.length)
    stage.problems.push(`without Redis only ${good.length} of ${accepted.length} were accepted`);
  // Programs must also start without Redis.
  await fleet.kill('worker-1');
  await fault(stage, 'SIGKILL worker');
  await fleet.kill('api-2');
  await fault(stage, 'SIGKILL API');
  // It says that it is ready when all is well (as /health/ready does), and accepts before that.
  await fleet.ready('api-2', 20_000, 'listening');
  const late = await driver.attempt({ ...anyOperation(stage), prefer: 'respond-async' });
  if (late?.status !== 202) stage.problems.push(`an API started without Redis answered ${late?.status ?? 'nothing'}`);
  await sleep(3_000);
  await redis.restart({ empty: true });
  await fault(stage, 'Redis away, then back');
  await mustSettle(stage, 'Redis was back');
  await fleet.ready('api-2');
  await fleet.ready('worker-1');
}

export async function breakPostgres(stage: Stage, postgres: RunningPostgres): Promise<void> {
  const { random, db } = stage;
  const stream = load(stage, 25);
  const restarts = [
    { kind: 'Postgres fast restart', stop: () => Promise.resolve() },
    {
      kind: 'Postgres immediate restart',
      stop: async () => {
        process.kill(postgres.pid, 'SIGQUIT');
        await postgres.ended();
      },
    },
    { kind: 'Postgres SIGKILL', stop: () => postgres.kill() },
  ];
  for (const { kind, stop } of restarts) {
    await pileUp(stage, 80);
    await sleep(random.between(5, 80));
    const open = await openSagas(stage);
    await stop();
    await postgres.restart();
    await fault(stage, kind);
    stage.say(`  ${kind} with ${open} sagas open`);
    await sleep(random.between(500, 1_500));
  }
  let cut = 0;
  for (let round = 0; round < 25; round += 1) {
    const rows = await db.query<{ ok: boolean }>(
      `SELECT pg_terminate_backend(pid) AS ok FROM pg_stat_activity WHERE application_name LIKE 'roomy%' ORDER BY random() LIMIT 2`,
    );
    cut += rows.filter((row) => row.ok).length;
    if (rows.length > 0) await fault(stage, 'pg_terminate_backend');
    await sleep(random.between(30, 250));
  }
  stage.say(`  ${cut} connections cut`);
  await stream.stop();
  await mustSettle(stage, 'the faults of Postgres');
}

/** Zombies: stopped for longer than their locks live, then running on as if nothing had been. */
export async function stopWorkers(stage: Stage): Promise<void> {
  const { random, fleet } = stage;
  const stream = load(stage, 25);
  for (let round = 0; round < 3; round += 1) {
    await pileUp(stage, 80);
    await sleep(random.between(5, 60));
    const victim = random.pick(fleet.running('worker'));
    const open = await openSagas(stage);
    fleet.signal(victim, 'SIGSTOP');
    await sleep(random.between(4_500, 6_000));
    fleet.signal(victim, 'SIGCONT');
    await fault(stage, 'SIGSTOP worker beyond its lock');
    stage.say(`  ${victim} stopped with ${open} sagas open`);
  }
  await stream.stop();
  await mustSettle(stage, 'the zombies woke up');
}

export async function repeatAndCollide(stage: Stage): Promise<void> {
  const { driver, stays, random } = stage;

  const twice = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const { prefer: _, ...one } = operation(stage, takeFrom(stays.plain), {}, 'completed');
      const answers = await Promise.all([driver.perform(one), driver.perform(one)]);
      return answers.every((answer) => answer.status === 200) && answers[0]?.body === answers[1]?.body;
    }),
  );
  stage.fired.set('same key twice', twice.length);
  if (twice.includes(false))
    stage.problems.push(`${twice.filter((same) => !same).length} pairs with one key got different answers`);

  const reused = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const one = operation(stage, takeFrom(stays.plain), {}, 'completed');
      await driver.perform(one);
      return driver.perform({ ...one, body: { notes: 'another body' } });
    }),
  );
  stage.fired.set('same key, other body', reused.filter((answer) => answer.status === 422).length);
  for (const answer of reused) {
    if (answer.status !== 422 || answer.code !== 'IDEMPOTENCY_KEY_REUSED')
      stage.problems.push(`a key with another body was answered ${answer.status} ${answer.code}`);
  }

  const pairs = stays.pairs.splice(0, 30);
  const collisions = await Promise.all(
    pairs.map(async (pair) => {
      const answers = await Promise.all(
        pair.map((id) => driver.perform({ reservationId: id, action: 'confirm', key: newKey(), body: {} })),
      );
      return answers.sort((a, b) => a.status - b.status);
    }),
  );
  stage.fired.set('overlapping pairs', collisions.length);
  for (const [won, lost] of collisions) {
    const details = lost && 'details' in JSON.parse(lost.body);
    if (won?.status !== 200 || lost?.status !== 409 || lost.code !== 'RESERVATION_CONFLICT' || !details)
      stage.problems.push(
        `an overlapping pair was answered ${won?.status} ${won?.code} and ${lost?.status} ${lost?.code}`,
      );
  }

  const forced = await burst(stage, 40, () => {
    const from = random.next() < 0.5 ? stays.unstaffed : stays.cleanersOnly;
    const { prefer: _, ...one } = operation(stage, takeFrom(from), { requireAssignment: true }, 'compensated');
    return one;
  });
  stage.fired.set('forced step failure', forced.filter((answer) => answer.code === 'NO_STAFF_AVAILABLE').length);
  for (const answer of forced) {
    if (answer.status !== 409 || answer.code !== 'NO_STAFF_AVAILABLE')
      stage.problems.push(`a confirmation without staff was answered ${answer.status} ${answer.code}`);
  }
  await mustSettle(stage, 'the collisions');

  // The recorded answers of requests from all phases, again.
  const answered = driver.attempts.filter(
    ({ action, status }) => action === 'confirm' && (status === 200 || status === 202),
  );
  let replays = 0;
  for (let index = 0; index < 60; index += 1) {
    const { key, reservationId } = random.pick(answered);
    const [row] = await stage.db.query<{ body: Readonly<Record<string, unknown>> }>(
      `SELECT jsonb_build_object('requireAssignment', true) AS body FROM idempotency_key k JOIN saga s ON s.id = k.saga_id
        WHERE k.key = $1 AND (s.input ->> 'requireAssignment')::boolean`,
      [key],
    );
    const answer = await driver.attempt({ reservationId, action: 'confirm', key, body: row?.body ?? {} });
    if (answer && (answer.status === 200 || answer.status === 409)) replays += 1;
    else
      stage.problems.push(`a repeat after the end was answered ${answer?.status ?? 'nothing'} ${answer?.code ?? ''}`);
  }
  stage.fired.set('replays after the end', replays);
  stage.say(
    `  ${twice.length} doubles, ${reused.length} reused keys, ${collisions.length} collisions, ${forced.length} forced failures, ${replays} replays`,
  );
}

/** When all faults are over, everything works as on the first day (I33 of guarantees.md 3.5). */
export async function checkHealth(stage: Stage, requests = 50): Promise<void> {
  let good = 0;
  let slowest = 0;
  for (let index = 0; index < requests; index += 1) {
    const { prefer: _, ...one } = operation(stage, takeFrom(stage.stays.plain), {}, 'completed');
    const answer = await stage.driver.attempt(one);
    if (answer?.status === 200) good += 1;
    slowest = Math.max(slowest, answer?.ms ?? 0);
  }
  stage.say(`  I33: ${good} of ${requests} confirmations answered 200, the slowest in ${Math.round(slowest)} ms`);
  if (good < requests)
    stage.problems.push(`I33: after all faults only ${good} of ${requests} confirmations were answered 200`);
}
