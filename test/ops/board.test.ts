import { appRoutes } from '@bull-board/api/dist/routes.js';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { failedJobs as failJobs } from './failed-jobs.ts';
import { type Harness, OPERATOR_IP, startHarness } from './harness.ts';

let ops: Harness;
let cookie: string;
beforeAll(async () => {
  ops = await startHarness(inject('redisUrl'), null, () => ({ consoleUrl: 'https://crm.example/console' }));
  cookie = await ops.login('olivia', 'OPS');
}, 60_000);
afterAll(() => ops?.stop());
beforeEach(() => {
  ops.retries.length = 0;
  ops.outcomes.clear();
});

const put = (path: string, init: { method?: string; body?: string } = {}) =>
  ops.call(`/queues/api/queues/${path}`, { method: 'PUT', cookie, ...init });
const body = (audit: { body: string } | undefined) => JSON.parse(audit?.body ?? 'null');

const failedJobs = (queue: 'saga-forward' | 'saga-compensation' | 'tasks', sagaIds: readonly unknown[]) =>
  failJobs(ops, queue, sagaIds);
const state = (queue: 'saga-forward' | 'saga-compensation' | 'tasks', id = '') => ops.queue(queue).getJobState(id);

describe('the board', () => {
  it('O6: shows saga, step and direction, and hides what a job of ours does not hold', async () => {
    const data = {
      sagaId: 'saga-7',
      step: 3,
      direction: 'C',
      generation: 2,
      guest: 'John Canary',
      nested: { a: 'Canary' },
    };
    await ops.queue('saga-forward').add('confirmReservation.createCleaningTask', data, { jobId: 'shown' });
    const pages = ['/queues/api/queues?activeQueue=saga-forward', '/queues/api/queues/saga-forward/shown'];
    for (const path of pages) {
      const text = await (await ops.call(path, { cookie })).text();
      expect(text).toContain('confirmReservation.createCleaningTask');
      expect(text).toContain('"sagaId":"saga-7","step":3,"direction":"compensation","generation":2');
      expect(text).not.toContain('Canary');
    }
    for (const path of ['saga-forward/shown/flow', 'saga-forward/shown/logs', 'saga-forward/workers'])
      expect(await (await ops.call(`/queues/api/queues/${path}`, { cookie })).text()).not.toContain('Canary');
    await ops.queue('saga-forward').remove('shown');
  });

  it('leads from each job of a saga to the saga, and from one that names none of ours to the list', async () => {
    const hrefOf = async (queue: 'saga-forward' | 'tasks', sagaId: unknown): Promise<unknown> => {
      await ops.queue(queue).add('confirmReservation.createCleaningTask', { sagaId }, { jobId: 'linked' });
      const answer = await ops.call(`/queues/api/queues/${queue}/linked`, { cookie });
      await ops.queue(queue).remove('linked');
      const { job } = (await answer.json()) as { readonly job: { readonly externalUrl?: { readonly href: string } } };
      return job.externalUrl?.href;
    };
    expect(await hrefOf('saga-forward', 'saga-7')).toBe('https://crm.example/console/sagas/saga-7');
    expect(await hrefOf('saga-forward', 'javascript:alert(1)')).toBe('https://crm.example/console/sagas');
    expect(await hrefOf('saga-forward', { a: 1 })).toBe('https://crm.example/console/sagas');
    expect(await hrefOf('tasks', 'saga-7')).toBeUndefined();
  });

  it('O6: tells nothing about Redis', async () => {
    expect((await ops.call('/queues/api/redis/stats', { cookie })).status).toBe(403);
  });
});

describe('retry', () => {
  it('O4, O7: resumes the saga in the name of the operator, and then retries the job', async () => {
    const [id] = await failedJobs('saga-forward', ['saga-1']);
    const answer = await ops.call(`/queues/api/queues/saga-forward/${id}/retry`, {
      method: 'PUT',
      cookie,
      headers: { 'x-request-id': 'req-77', 'x-roomy-client-address': '6.6.6.6', 'x-forwarded-for': '6.6.6.6' },
    });
    expect(answer.status).toBe(204);
    expect(ops.retries).toEqual([
      { sagaId: 'saga-1', by: 'olivia', requestId: 'req-77', ip: OPERATOR_IP, via: 'bull-board' },
    ]);
    expect(await state('saga-forward', id)).toBe('waiting');
    const audit = (await ops.audits('olivia')).at(-1);
    expect(audit).toMatchObject({
      stream_id: 'ops:olivia',
      event: 'OPS_CALL',
      saga_id: 'saga-1',
      request_id: 'req-77',
    });
    expect(body(audit)).toMatchObject({
      outcome: 'allowed',
      ip: OPERATOR_IP,
      details: { jobId: id, sagas: { resumed: 1 } },
    });
    await ops.queue('saga-forward').drain();
  });

  it('lets the job of an ended saga run again: its generation makes that harmless', async () => {
    ops.outcomes.set('saga-2', 'stale');
    const [id] = await failedJobs('saga-compensation', ['saga-2']);
    expect((await put(`saga-compensation/${id}/retry`)).status).toBe(204);
    expect(body((await ops.audits('olivia')).at(-1)).details.sagas).toEqual({ stale: 1 });
    await ops.queue('saga-compensation').drain();
  });

  it('of a saga that waits for an approval is refused: it is none', async () => {
    ops.outcomes.set('saga-3', 'needs-approval');
    const [id] = await failedJobs('saga-forward', ['saga-3']);
    expect((await put(`saga-forward/${id}/retry`)).status).toBe(409);
    expect(await state('saga-forward', id)).toBe('failed');
    await ops.queue('saga-forward').clean(0, 10, 'failed');
  });

  it('O5: of a job that names no saga of ours asks nobody, and of an unknown saga is refused', async () => {
    ops.outcomes.set('saga-forged', 'missing');
    const ids = await failedJobs('saga-forward', ["x' OR '1'='1", { a: 1 }, 'saga-forged']);
    expect((await put(`saga-forward/${ids[0]}/retry`)).status).toBe(204);
    expect((await put(`saga-forward/${ids[1]}/retry`)).status).toBe(204);
    expect((await put(`saga-forward/${ids[2]}/retry`)).status).toBe(404);
    expect(await state('saga-forward', ids[2])).toBe('failed');
    expect(ops.retries).toEqual([]);
    await ops.queue('saga-forward').drain();
    await ops.queue('saga-forward').clean(0, 10, 'failed');
  });

  it('does not touch the job when the saga could not be asked', async () => {
    ops.outcomes.set('saga-3', 'broken');
    const [id] = await failedJobs('saga-forward', ['saga-3']);
    expect((await put(`saga-forward/${id}/retry`)).status).toBe(500);
    expect(await state('saga-forward', id)).toBe('failed');
    await ops.queue('saga-forward').clean(0, 10, 'failed');
  });

  it('of all failed jobs resumes each saga once that waits for a person, and leaves the others as they are', async () => {
    ops.outcomes.set('saga-b', 'stale').set('saga-c', 'missing');
    const ids = await failedJobs('saga-forward', ['saga-a', 'saga-a', 'saga-b', 'saga-c', 'saga-d']);
    const answer = await put('saga-forward/retry/failed');
    expect([answer.status, await answer.text()]).toEqual([
      409,
      expect.stringContaining('3 of 5 jobs were retried. 2 were left'),
    ]);
    expect(ops.retries.map(({ sagaId, by }) => `${by} ${sagaId}`).toSorted()).toEqual([
      'olivia saga-a',
      'olivia saga-d',
    ]);
    const states = await Promise.all(ids.map((id) => state('saga-forward', id)));
    expect(states).toEqual(['waiting', 'waiting', 'failed', 'failed', 'waiting']);
    expect(body((await ops.audits('olivia')).at(-1)).details.sagas).toEqual({ resumed: 2 });
    await ops.queue('saga-forward').clean(0, 10, 'failed');
    await ops.queue('saga-forward').drain();
  });

  it('of more than a thousand jobs takes the first thousand and says so', async () => {
    await failedJobs(
      'saga-forward',
      Array.from({ length: 1_003 }, (_, n) => `saga-m${n}`),
    );
    const answer = await put('saga-forward/retry/failed');
    expect(answer.status).toBe(409);
    expect(await answer.text()).toContain('1000 of 1003 jobs were retried');
    expect(ops.retries).toHaveLength(1_000);
    expect(await ops.queue('saga-forward').getFailedCount()).toBe(3);
    expect((await put('saga-forward/retry/failed')).status).toBe(200);
    expect(ops.retries).toHaveLength(1_003);
    await ops.queue('saga-forward').drain();
  }, 60_000);

  it('of all completed jobs is refused', async () => {
    expect((await put('saga-forward/retry/completed')).status).toBe(403);
  });
});

describe('a reason that is markup', () => {
  it('O8: is data for the board, in no page of ours, and no script of another source would run', async () => {
    await failedJobs('saga-forward', ['saga-x']);
    const data = await ops.call('/queues/api/queues?activeQueue=saga-forward&status=failed', { cookie });
    expect(data.headers.get('content-type')).toMatch(/^application\/json/);
    expect(data.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await data.text()).toContain('<script>alert(1)</script>');
    for (const path of ['/queues', '/queues/queue/saga-forward?status=failed', '/queues/queue/saga-forward/x']) {
      const page = await ops.call(path, { cookie, headers: { accept: 'text/html' } });
      expect(await page.text()).not.toContain('alert(1)');
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("script-src 'self';");
      expect(policy).not.toMatch(/script-src[^;]*(?:unsafe|data:|https?:|\*)/);
    }
    await ops.queue('saga-forward').clean(0, 10, 'failed');
  });
});

describe('everything else that changes something', () => {
  const allowed = /\/retry$|\/retry\/:queueStatus$|\/pause$|\/resume$/;
  const refused = appRoutes.api.flatMap(({ method, route }) =>
    [route].flat().flatMap((path) => [method].flat().map((verb) => ({ verb, path }))),
  );
  const dangerous = refused.filter(({ verb, path }) => verb !== 'get' && !allowed.test(path));

  it('O4: is many', () => expect(dangerous.length).toBeGreaterThanOrEqual(14));

  it.each(dangerous)('O4, O7: is refused and written down: $verb $path', async ({ verb, path }) => {
    await ops
      .queue('saga-forward')
      .add('confirmReservation.createCleaningTask', { sagaId: 'saga-9' }, { jobId: 'kept' });
    const before = await ops.audits('olivia');
    const url = path.replace(':queueName', 'saga-forward').replace(':jobId', 'kept').replace(/:\w+/g, 'failed');
    const answer = await ops.call(`/queues${url}`, {
      method: verb.toUpperCase(),
      cookie,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        name: 'x',
        data: { sagaId: 'saga-1' },
        options: {},
        jobData: {},
        delay: 1,
        concurrency: 1,
      }),
    });
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('This board allows reading, retrying and pausing');
    const after = await ops.audits('olivia');
    expect(after).toHaveLength(before.length + 1);
    expect(body(after.at(-1))).toMatchObject({ userId: 'olivia', outcome: 'refused', details: { route: path } });
    const job = await ops.queue('saga-forward').getJob('kept');
    expect(job?.data).toEqual({ sagaId: 'saga-9' });
    expect(await ops.queue('saga-forward').getJobCounts('wait', 'delayed')).toEqual({ wait: 1, delayed: 0 });
  });

  it('O7: is written down even where there is nothing', async () => {
    const before = (await ops.audits('olivia')).length;
    expect((await ops.call('/queues/api/queues/saga-forward/x/y/z', { method: 'DELETE', cookie })).status).toBe(404);
    expect(await ops.audits('olivia')).toHaveLength(before + 1);
  });
});

describe('the mailbox', () => {
  let admin: string;
  beforeAll(async () => {
    admin = await ops.login('adam', 'ADMIN');
  });

  it('is not for who runs the system: messages have names, addresses and codes', async () => {
    for (const path of ['/mailbox', '/mailbox/1', '/mailbox?before=7']) {
      expect((await ops.call(path, { cookie })).status, path).toBe(403);
    }
  });

  it('shows messages newest first, page by page', async () => {
    const rows = Array.from({ length: 53 }, (_, n) => ({
      message_id: `<m${n}@roomy>`,
      channel: n % 2 === 0 ? ('EMAIL' as const) : ('SMS' as const),
      recipient: 'ann@example.com',
      subject: n % 2 === 0 ? `Subject ${n} <b>` : null,
      body: n % 2 === 0 ? `<p>Dear "Ann" ${n}</p><script>1</script>` : `Dear Ann & co ${n}`,
    }));
    await ops.db.insertInto('dev_mail').values(rows).execute();
    const first = await (await ops.call('/mailbox', { cookie: admin })).text();
    expect(first).toContain('Subject 52 &lt;b&gt;');
    expect(first).toContain('Dear Ann &amp; co 51');
    expect(first.match(/<li>/g)).toHaveLength(50);
    const older = /href="(\/mailbox\?before=\d+)"/.exec(first)?.[1] ?? '';
    const second = await (await ops.call(older, { cookie: admin })).text();
    expect(second.match(/<li>/g)).toHaveLength(3);
    expect(second).not.toContain('rel="next"');
  });

  it('shows a mail in a frame that may do nothing, and an SMS as text', async () => {
    const ids = await ops.db.selectFrom('dev_mail').select(['id', 'channel']).orderBy('id').execute();
    const mail = await ops.call(`/mailbox/${ids.find(({ channel }) => channel === 'EMAIL')?.id}`, { cookie: admin });
    const html = await mail.text();
    expect(html).toContain(
      '<iframe sandbox title="The e-mail" srcdoc="&lt;p&gt;Dear &quot;Ann&quot; 0&lt;/p&gt;&lt;script&gt;1&lt;/script&gt;">',
    );
    expect(html).not.toContain('<script');
    expect(mail.headers.get('content-security-policy')).not.toContain('script-src');
    const sms = await ops.call(`/mailbox/${ids.find(({ channel }) => channel === 'SMS')?.id}`, { cookie: admin });
    expect(await sms.text()).toContain('<p class="sms">Dear Ann &amp; co 1</p>');
  });

  it('has the links of a message beside its frame, where they can be followed, and only those of the web', async () => {
    const shown = async (channel: 'EMAIL' | 'SMS', body: string): Promise<string[]> => {
      const mail = {
        message_id: `<links-${channel}@roomy>`,
        channel,
        recipient: 'ann@example.com',
        subject: 'Links',
        body,
      };
      const { id } = await ops.db.insertInto('dev_mail').values(mail).returning('id').executeTakeFirstOrThrow();
      const html = await (await ops.call(`/mailbox/${id}`, { cookie: admin })).text();
      const beside = html.slice(html.lastIndexOf(channel === 'SMS' ? '<p class="sms">' : '</iframe>'));
      return [...beside.matchAll(/<a href="([^"]*)" target="_blank" rel="noopener noreferrer">/g)].map(
        ([, link = '']) => link,
      );
    };
    const offer = 'https://roomy.example/offers/abc';
    const hostile = '<a href="javascript:alert(1)">1</a> <a href="data:text/html,2">2</a> <a href="https://[">3</a>';
    expect(
      await shown('EMAIL', `<a href="${offer}?a=1&amp;b=2">Yes</a> <a href="${offer}">again</a> ${hostile}`),
    ).toEqual([`${offer}?a=1&amp;b=2`, offer]);
    expect(await shown('SMS', `Say yes: ${offer}`)).toEqual([offer]);
  });

  it.each(['0', '-1', '9'.repeat(40), 'x', '%00', '999999'])('has no message %s', async (id) => {
    expect((await ops.call(`/mailbox/${id}`, { cookie: admin })).status).toBe(404);
    expect((await ops.call(`/mailbox?before=${id}`, { cookie: admin })).status).toBe(200);
  });
});
