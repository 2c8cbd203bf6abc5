import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordAudit } from '../../src/domain/audit/record.ts';
import { verifyAudit } from '../../src/domain/audit/resource.ts';
import { API, at, type Http, startHttp } from './harness.ts';

let http: Http;
beforeAll(async () => {
  http = await startHttp();
}, 60_000);
afterAll(() => http?.stop());

const write = (streamId: string, event: string, actor = 'agent-1') =>
  recordAudit(http.db, {
    streamId,
    event,
    actor,
    reservationId: 'reservation-1',
    requestId: 'request-1',
    body: {
      outcome: 'completed',
      reservationId: 'reservation-1',
      onBehalfOf: 'agent-2',
      details: { stepsCompleted: 8 },
    },
  });
const list = async (query = ''): Promise<unknown[]> => {
  const items = at((await http.call('GET', `${API}/audit${query}`)).body, 'data');
  return Array.isArray(items) ? items : [];
};
/** As a superuser who switched the trigger off would. */
const tamper = async (change: string): Promise<void> => {
  await sql`ALTER TABLE audit_log DISABLE TRIGGER ALL`.execute(http.db);
  if (change === 'edit')
    await sql`UPDATE audit_log SET actor = 'nobody' WHERE stream_id = 'edited' AND seq = 2`.execute(http.db);
  if (change === 'delete') await sql`DELETE FROM audit_log WHERE stream_id = 'deleted' AND seq = 2`.execute(http.db);
  await sql`ALTER TABLE audit_log ENABLE TRIGGER ALL`.execute(http.db);
};

describe('the audit trail', () => {
  it('shows the brief’s fields, and what makes a row evidence', async () => {
    await write('saga-1', 'RESERVATION_CONFIRMED');
    const [row] = await list();
    expect(row).toEqual({
      id: 'saga-1:1',
      seq: 1,
      timestamp: expect.any(String),
      event: 'RESERVATION_CONFIRMED',
      saga: null,
      reservationId: 'reservation-1',
      userId: 'agent-1',
      details: { stepsCompleted: 8 },
      actor: { type: 'PERSON', id: 'agent-1' },
      onBehalfOf: 'agent-2',
      ip: null,
      credential: null,
      requestId: 'request-1',
      sagaExecutionId: null,
      outcome: 'completed',
      prevHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('shows rows whatever their body is', async () => {
    for (const body of ['{}', '[]', 'null', '"x"', 'not json', '{"details":7,"saga":3}']) {
      await http.db.insertInto('audit_log').values({ stream_id: 'odd', event: 'ODD', actor: 'system', body }).execute();
    }
    const rows = await list('?event=ODD');
    expect(rows).toHaveLength(6);
    expect(rows[0]).toMatchObject({
      saga: null,
      details: 7,
      userId: 'system',
      actor: { type: 'SYSTEM', id: 'system' },
    });
  });

  it('is filtered and paged, newest first', async () => {
    for (const event of ['A', 'B', 'C']) await write('service-stream', event, 'service:booker');
    const rows = await list('?actor=service:booker');
    expect(rows.map((row) => at(row, 'event'))).toEqual(['C', 'B', 'A']);
    expect(at(rows[0], 'actor')).toEqual({ type: 'SERVICE', id: 'booker' });
    const first = await http.call('GET', `${API}/audit?actor=service:booker&limit=2`);
    const next = await list(`?actor=service:booker&limit=2&cursor=${String(first.body.nextCursor)}`);
    expect(next.map((row) => at(row, 'event'))).toEqual(['A']);
    expect(await list('?reservationId=reservation-2')).toEqual([]);
    expect(await list('?to=2020-01-01')).toEqual([]);
    expect((await list('?from=2020-01-01')).length).toBeGreaterThan(3);
  });

  it('verifies while nobody has touched it', async () => {
    const report = at((await http.call('GET', `${API}/audit/verify`)).body, 'data');
    expect(report).toEqual({ verified: 10, broken: [], complete: true, nextStream: null, seals: null });
  });

  it('names the rows that were edited, or that follow one that is gone', async () => {
    for (const stream of ['edited', 'deleted']) for (const event of ['A', 'B', 'C']) await write(stream, event);
    await tamper('edit');
    await tamper('delete');
    const report = at((await http.call('GET', `${API}/audit/verify`)).body, 'data');
    expect(at(report, 'broken')).toEqual([
      { streamId: 'deleted', seq: 3 },
      { streamId: 'edited', seq: 2 },
    ]);
    expect(at(report, 'verified')).toBe(13);
  });

  it('is verified in parts when time is short', async () => {
    await http.db
      .insertInto('audit_log')
      .values(
        Array.from({ length: 600 }, (_, i) => ({ stream_id: `many-${i}`, event: 'X', actor: 'system', body: '{}' })),
      )
      .execute();
    const first = await verifyAudit(http.db, null, 0);
    expect([first.complete, first.nextStream]).toEqual([false, expect.any(String)]);
    const second = await verifyAudit(http.db, first.nextStream, 10_000);
    expect(second.complete).toBe(true);
    expect(first.verified + second.verified).toBe(613);
  });

  it('cannot be changed', async () => {
    await expect(sql`UPDATE audit_log SET actor = 'x'`.execute(http.db)).rejects.toThrow('forbidden');
    expect((await http.call('DELETE', `${API}/audit`)).status).toBe(405);
    expect((await http.call('POST', `${API}/audit`, { body: {} })).status).toBe(405);
  });
});
