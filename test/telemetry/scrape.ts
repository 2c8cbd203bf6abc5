import { createPool } from '../../src/db/client.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { queueDepths } from '../../src/queues/depths.ts';
import { startMetrics } from '../../src/telemetry/metrics.ts';
import { createSources } from '../../src/telemetry/sources.ts';
import { WORKER_ROLES } from '../../src/workers/roles.ts';
import type { System } from '../setup/system.ts';

/** A line of the text format. */
export interface Line {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function linesOf(text: string): readonly Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^([a-z_:0-9]+)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
      const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/gi)].map((match) => [match[1], match[2]]);
      return { name, labels: Object.fromEntries(pairs), value: Number(value) };
    });
}

/** The sum of the lines of this name that have all of these labels. */
export const sumOf = (lines: readonly Line[], name: string, labels: Readonly<Record<string, string>> = {}): number =>
  lines
    .filter((line) => line.name === name && Object.entries(labels).every(([key, value]) => line.labels[key] === value))
    .reduce((all, { value }) => all + value, 0);

/** The metrics of a system in this process, as its programs would serve them. */
export async function measured(system: System) {
  const pool = createPool({ connectionString: system.bed.url, max: 3, applicationName: 'metrics-test' });
  const { read, stop } = createSources({
    db: system.bed.db,
    pool,
    queueDepths: () => queueDepths(system.process.engine.queues),
    circuits: () => ({ ...system.sandbox.ports.circuitsByKind(), channel: new Map() }),
    relayDrainedAt: system.process.engine.relay.lastDrainedAt,
    roles: WORKER_ROLES,
    log: createLogger('test', 'silent'),
    keptMs: 0,
  });
  const metrics = await startMetrics({ resource: { 'service.name': 'roomy-test' }, read, otlpEveryMs: null });
  return {
    text: metrics.text,
    lines: async () => linesOf(await metrics.text()),
    close: async () => {
      stop();
      await metrics.close();
      await pool.end();
    },
  };
}
