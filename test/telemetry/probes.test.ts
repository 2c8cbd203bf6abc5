import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createProbes, type MetricsAccess, probesBefore } from '../../src/ops/probes.ts';
import { metricsAccess } from '../../src/programs.ts';

/** What machines get from the ports of operators, and who gets the metrics. */

const TOKEN = 'a-token-of-forty-characters-for-a-scraper';
const probesWith = (access: MetricsAccess, failing: readonly string[] = [], text: string | null = 'roomy_x 1\n') =>
  createProbes({
    readiness: async () => ({ ok: failing.length === 0, failing }),
    metricsText: async () => text,
    access,
  });

describe('/metrics', () => {
  it('is for whoever has the token, where there is one', async () => {
    const probes = probesWith({ token: TOKEN });
    const get = (authorization?: string) =>
      probes.request('/metrics', authorization === undefined ? {} : { headers: { authorization } });
    for (const wrong of [undefined, '', 'Bearer ', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`]) {
      const answer = await get(wrong);
      expect(answer.status).toBe(401);
      expect(await answer.text()).not.toContain('roomy_x');
    }
    const answer = await get(`Bearer ${TOKEN}`);
    expect([answer.status, await answer.text()]).toEqual([200, 'roomy_x 1\n']);
    expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('is for nobody where the port is reached from elsewhere and there is no token', async () => {
    const answer = await probesWith('closed').request('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } });
    expect([answer.status, (await answer.text()).includes('METRICS_TOKEN')]).toEqual([403, true]);
  });

  it('is not there while metrics are off', async () => {
    expect((await probesWith('open', [], null).request('/metrics')).status).toBe(404);
  });

  it.each([
    ['development', '0.0.0.0', undefined, 'open'],
    ['production', '127.0.0.1', undefined, 'open'],
    ['production', '::1', undefined, 'open'],
    ['production', '0.0.0.0', undefined, 'closed'],
    ['production', '10.1.2.3', undefined, 'closed'],
    ['', '0.0.0.0', undefined, 'closed'],
    ['production', '127.0.0.1', TOKEN, { token: TOKEN }],
  ])('in %s on %s with the token %s is %j', (NODE_ENV, host, METRICS_TOKEN, access) => {
    expect(metricsAccess(configOf({ NODE_ENV, METRICS_TOKEN }), host)).toEqual(access);
  });
});

describe('H8: health', () => {
  it('says why a program is not ready, and that it lives whatever is away', async () => {
    const probes = probesWith('closed', ['redis', 'relay']);
    const ready = await probes.request('/health/ready');
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'fail', failing: ['redis', 'relay'] }]);
    expect((await probes.request('/health/live')).status).toBe(200);
    expect((await probesWith('open').request('/health/ready')).status).toBe(200);
  });
});

it('probes stand before the pages of operators, and take nothing else from them', async () => {
  const fetch = probesBefore(probesWith('open'), () => new Response('pages'));
  const textAt = async (path: string) => (await fetch(new Request(`http://ops.test${path}`))).text();
  expect(await textAt('/metrics')).toContain('roomy_x');
  for (const path of ['/', '/queues', '/metrics/', '/metrics/x', '/health', '//metrics'])
    expect(await textAt(path)).toBe('pages');
});

describe('the configuration', () => {
  const settingsOf = (given: Readonly<Record<string, string>>) => configOf(given).telemetry;
  it('measures when asked, and traces nothing, without any variable', () => {
    expect(settingsOf({})).toMatchObject({ metrics: 'asked', traces: null, workerOpsPort: null });
  });

  it('goes by the usual variables of OpenTelemetry', () => {
    const to = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' };
    const sampler = { sampler: 'parentbased_always_on', ratio: 1 };
    expect(settingsOf(to)).toMatchObject({ metrics: 'otlp', traces: sampler });
    expect(settingsOf({ ...to, OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'prometheus' })).toMatchObject({
      metrics: 'prometheus',
      traces: null,
    });
    expect(settingsOf({ ...to, OTEL_METRICS_EXPORTER: 'none' }).metrics).toBe('off');
    expect(settingsOf({ ...to, OTEL_SDK_DISABLED: 'true' })).toMatchObject({ metrics: 'off', traces: null });
    const rare = { OTEL_TRACES_EXPORTER: 'otlp', OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' };
    expect(settingsOf(rare).traces).toEqual({ sampler: 'traceidratio', ratio: 0.1 });
  });

  it.each([
    [{ METRICS_TOKEN: 'short' }, /METRICS_TOKEN: must have at least 32/],
    [{ OTEL_TRACES_SAMPLER: 'sometimes' }, /OTEL_TRACES_SAMPLER/],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /OTEL_EXPORTER_OTLP_PROTOCOL/],
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, /OTEL_TRACES_EXPORTER: must be some of otlp, none/],
    [{ WORKER_OPS_PORT: '70000' }, /WORKER_OPS_PORT/],
    [
      { NODE_ENV: 'production', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example' },
      /OTLP_ENDPOINT: goes to another host in the clear/,
    ],
  ])('H7: refuses %j', (given, problem) => {
    expect(() => configOf(given)).toThrow(problem);
  });
});

function configOf(given: Readonly<Record<string, string | undefined>>) {
  const secret = 'k1:0123456789abcdef0123456789abcdef';
  const base = { NODE_ENV: 'test', DATABASE_URL: 'postgres://localhost/roomy', REDIS_URL: 'redis://localhost' };
  return readConfig({ ...base, JWT_KEYS: secret, SEAL_KEYS: secret, PAYMENT_GATEWAYS: 'sandbox', ...given });
}
