import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliverWebhooks } from '../../src/domain/webhooks/deliver.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { startTraces } from '../../src/telemetry/traces.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { deliverAll } from '../setup/deliver.ts';
import { until } from '../setup/engine.ts';
import { type System, startSystem } from '../setup/system.ts';

/** One trace from the request to the last message and webhook, whichever process and whenever. */

const CALLER = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const TRACEPARENT = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
const MANY_SPANS = 10_000;
const exporter = new InMemorySpanExporter();
let traces: Awaited<ReturnType<typeof startTraces>>;
let system: System;
let consumer: Server;
const received: string[] = [];
let stay: string;
let whole: readonly ReadableSpan[];

const ofTrace = (traceId: string): readonly ReadableSpan[] =>
  exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
const parentIn = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId;
/** Spans whose parent is neither in the trace nor the caller's own. */
const orphans = (spans: readonly ReadableSpan[]): readonly string[] => {
  const ids = new Set([CALLER.spanId, ...spans.map((span) => span.spanContext().spanId)]);
  return spans.filter((span) => !ids.has(parentIn(span) ?? CALLER.spanId)).map(({ name }) => name);
};
const named = (name: RegExp): readonly ReadableSpan[] => whole.filter((span) => name.test(span.name));

beforeAll(async () => {
  consumer = createServer((request, response) => {
    received.push(String(request.headers['traceparent']));
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => consumer.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(consumer.address() as AddressInfo).port}`;
  const webhooks = createWebhookSender({ clock: systemClock, allowed: [host] });
  traces = await startTraces({
    resource: { 'service.name': 'roomy-test' },
    sampling: { sampler: 'parentbased_always_on', ratio: 1 },
    processor: new SimpleSpanProcessor({ exporter }),
  });
  system = await startSystem(undefined, { webhooks });
  const { db } = system.bed;
  await prepareStays(db);
  stay = await seedStay(db);
  const made = await system.call('POST', '/webhook-endpoints', {
    body: { url: `http://${host}/`, types: ['reservation.*'] },
  });
  expect(made.status, made.text).toBe(201);
  const headers = { traceparent: TRACEPARENT };
  const answer = await system.call('POST', `/reservations/${stay}/confirm`, { body: {}, headers });
  expect(answer.status, answer.text).toBe(200);
  await deliverAll(db);
  await deliverWebhooks({ db, sender: webhooks, random: () => 0, outages: noOutages });
  whole = await until('the trace is whole', async () => {
    const spans = ofTrace(CALLER.traceId);
    const has = (name: string): boolean => spans.some((span) => span.name.startsWith(name));
    const ended = ['saga confirmReservation', 'send EMAIL', 'webhook', 'POST '].every(has);
    return ended && orphans(spans).length === 0 ? spans : undefined;
  });
});
afterAll(async () => {
  await system?.close();
  await traces?.close();
  consumer?.close();
});

describe('the trace of a confirmation', () => {
  it('has the request, the acceptance, every step, its statements, and what was sent because of it', () => {
    expect(named(/^POST \/api\/production\/reservations\/:id\/confirm$/)).toHaveLength(1);
    expect(named(/^accept confirmReservation$/)).toHaveLength(1);
    const steps = named(/^step confirmReservation\./).map(({ name }) => name);
    expect(steps.length).toBeGreaterThan(5);
    expect(new Set(steps).size).toBe(steps.length);
    expect(named(/^postgres WITH$/).length).toBeGreaterThan(steps.length / 2);
    expect(named(/^send (?:EMAIL|SMS) /).length).toBeGreaterThan(0);
    expect(named(/^webhook reservation\./).length).toBeGreaterThan(0);
  });

  it('has the parent of every span, and begins with the caller’s', () => {
    expect(orphans(whole)).toEqual([]);
    expect(named(/^POST /).map(parentIn)).toEqual([CALLER.spanId]);
    const accepted = named(/^accept /)[0]?.spanContext().spanId;
    for (const span of named(/^(?:saga|send|webhook) /)) expect(parentIn(span)).toBe(accepted);
  });

  it('is stored with the saga, and goes on at the receiver of a webhook', async () => {
    const saga = await system.bed.db
      .selectFrom('saga')
      .select('traceparent')
      .where('subject_id', '=', stay)
      .executeTakeFirstOrThrow();
    expect(saga.traceparent).toMatch(new RegExp(`^00-${CALLER.traceId}-[0-9a-f]{16}-01$`));
    expect(received.some((traceparent) => traceparent.startsWith(`00-${CALLER.traceId}-`))).toBe(true);
  });

  it('holds no word of a guest, no address and no token', () => {
    const text = JSON.stringify(whole.map(({ name, attributes, status }) => ({ name, attributes, status })));
    for (const secret of ['John', 'example.com', '+971', 'Bearer', 'eyJ']) expect(text).not.toContain(secret);
  });
});

describe('many at once', () => {
  it('form one whole trace each, though they share statements', async () => {
    const { db } = system.bed;
    const stays = await Promise.all(Array.from({ length: 12 }, () => seedStay(db)));
    const ids = stays.map((_, n) => `${'0'.repeat(30)}${(n + 16).toString(16)}`);
    const answers = await Promise.all(
      stays.map((id, n) => {
        const headers = { traceparent: `00-${ids[n]}-${CALLER.spanId}-01` };
        return system.call('POST', `/reservations/${id}/confirm`, { body: {}, headers });
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(stays.map(() => 200));
    const count = named(/^step confirmReservation\./).length;
    await until('all traces are whole', async () => {
      const good = ids.filter((id) => {
        const spans = ofTrace(id);
        const steps = spans.filter(({ name }) => name.startsWith('step confirmReservation.'));
        return orphans(spans).length === 0 && new Set(steps.map(({ name }) => name)).size === count;
      });
      return good.length === ids.length ? true : undefined;
    });
  });

  it('form whole traces, ten thousand spans of them', { timeout: 120_000 }, async () => {
    const { db } = system.bed;
    exporter.reset();
    const ids: string[] = [];
    const lane = async (): Promise<void> => {
      while (exporter.getFinishedSpans().length < MANY_SPANS) {
        const stay = await seedStay(db);
        for (const act of ['confirm', 'check-in', 'cancel'] as const) {
          const id = randomBytes(16).toString('hex');
          const headers = { traceparent: `00-${id}-${CALLER.spanId}-01` };
          const { status } = await system.call('POST', `/reservations/${stay}/${act}`, { body: {}, headers });
          // A guest who is in the house is not cancelled: refusals have traces as well.
          expect(status).toBe(act === 'cancel' ? 409 : 200);
          ids.push(id);
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    await deliverAll(db);
    await until('all traces are whole', async () => {
      const traces = Map.groupBy(exporter.getFinishedSpans(), (span) => span.spanContext().traceId);
      const broken = ids.filter((id) => {
        const spans = traces.get(id) ?? [];
        return spans.length === 0 || orphans(spans).length > 0;
      });
      return broken.length === 0 ? true : undefined;
    });
    expect(exporter.getFinishedSpans().length).toBeGreaterThanOrEqual(MANY_SPANS);
  });

  it('are not kept when their caller does not keep its own', async () => {
    const id = '0af7651916cd43dd8448eb211c80319d';
    const stay = await seedStay(system.bed.db);
    const headers = { traceparent: `00-${id}-${CALLER.spanId}-00` };
    expect((await system.call('POST', `/reservations/${stay}/confirm`, { body: {}, headers })).status).toBe(200);
    expect(ofTrace(id)).toEqual([]);
  });
});
