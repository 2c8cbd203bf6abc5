/** One sample: memory and connections of the programs at one moment. */
export interface Sample {
  /** Since the load began. */
  readonly minutes: number;
  /** Resident memory by program; MiB. */
  readonly rssMiB: Readonly<Record<string, number>>;
  readonly redisMiB: number;
  /** Of Postgres, by the name of the program. */
  readonly connections: Readonly<Record<string, number>>;
  readonly sagas: number;
}
export interface Starts {
  /** From the beginning of `npm start`'s program until it says that it is ready, with its data there. */
  readonly warmMs: readonly number[];
  readonly workerMs: readonly number[];
}
export interface Memory {
  readonly name: string;
  readonly maxMiB: number;
  /** By the line through the last two thirds: over so long a time, and an hour. */
  readonly riseMiB: number;
  readonly riseMiBPerHour: number;
}
export interface Judged {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  readonly isMet: boolean;
}

const MAX_PROGRAM_MIB = 256;
const MAX_REDIS_MIB = 200;
/** Of the programs' pools, and one for what listens, of each. */
export const MAX_CONNECTIONS_A_PROGRAM = 12;
const MAX_WARM_MS = 3_000;
const MAX_WORKER_MS = 1_000;
/** Of what it holds; a heap swings by more within seconds, a leak goes on. */
const MAX_RISE_SHARE = 0.05;

export function memoryOf(name: string, samples: readonly Sample[], pick: (sample: Sample) => number): Memory {
  const late = samples.slice(Math.floor(samples.length / 3));
  const perMinute = slope(late.map((sample) => [sample.minutes, pick(sample)]));
  const minutes = (late.at(-1)?.minutes ?? 0) - (late[0]?.minutes ?? 0);
  return {
    name,
    maxMiB: Math.max(0, ...samples.map(pick)),
    riseMiB: perMinute * minutes,
    riseMiBPerHour: perMinute * 60,
  };
}

/** Of the line with the least squares. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / Math.max(1, points.length);
  const [x, y] = [mean(0), mean(1)];
  const across = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return across === 0 ? 0 : points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / across;
}

export const memories = (samples: readonly Sample[]): readonly Memory[] => [
  ...Object.keys(samples[0]?.rssMiB ?? {}).map((name) => memoryOf(name, samples, ({ rssMiB }) => rssMiB[name] ?? 0)),
  memoryOf('redis', samples, ({ redisMiB }) => redisMiB),
];

export function judge(samples: readonly Sample[], { warmMs, workerMs }: Starts): readonly Judged[] {
  const atMost = (name: string, value: number, bound: number): Judged => ({
    name,
    value,
    bound,
    isMet: value <= bound,
  });
  return [
    ...memories(samples).flatMap(({ name, maxMiB, riseMiB }) => [
      atMost(`${name}: MiB`, maxMiB, name === 'redis' ? MAX_REDIS_MIB : MAX_PROGRAM_MIB),
      atMost(`${name}: rise over the last two thirds, of what it holds`, riseMiB / maxMiB, MAX_RISE_SHARE),
    ]),
    ...Object.entries(mostConnections(samples)).map(([name, most]) =>
      atMost(`${name}: connections`, most, MAX_CONNECTIONS_A_PROGRAM),
    ),
    atMost('warm start, ms', Math.min(...warmMs), MAX_WARM_MS),
    atMost('worker ready, ms', Math.min(...workerMs), MAX_WORKER_MS),
  ];
}

export function mostConnections(samples: readonly Sample[]): Readonly<Record<string, number>> {
  const most: Record<string, number> = {};
  for (const { connections } of samples)
    for (const [name, count] of Object.entries(connections)) most[name] = Math.max(most[name] ?? 0, count);
  return most;
}
