import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { BROWSER_FILES } from './sources.ts';

/** Who may import whom. `kernel` is open to all; the programs at the top of `src` wire everything. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  db: ['kernel'],
  domain: ['db', 'kernel'],
  gateways: ['domain/ports', 'domain/ports-sign-in', 'domain/ports-audit', 'kernel'],
  // Audit rows and idempotency keys commit in the statements of sagas, and have one store each with everything else that
  // writes them. Neither file knows a noun of the business.
  engine: ['domain/ports', 'domain/audit/record', 'domain/idempotency/store', 'db', 'kernel'],
  sagas: ['engine', 'domain', 'db', 'kernel'],
  queues: ['engine', 'domain', 'db', 'kernel'],
  watchdog: ['queues', 'engine', 'domain', 'db', 'kernel'],
  workers: ['queues', 'sagas', 'engine', 'domain', 'db', 'kernel'],
  web: ['domain', 'kernel'],
  http: ['web', 'sagas', 'engine', 'domain', 'db', 'kernel', 'config'],
  ops: ['web', 'engine', 'domain', 'db', 'kernel'],
  backup: ['engine', 'domain', 'db', 'kernel', 'config'],
  telemetry: ['queues', 'domain', 'db', 'kernel', 'config-telemetry'],
};
/** The folders of `domain`, lowest first. A folder imports from its own row only what stands before it there, and nothing of a later row. */
const DOMAIN_LAYERS: readonly (readonly string[])[] = [
  ['audit', 'notifications', 'sweeps', 'idempotency', 'events', 'properties', 'people', 'webhooks'],
  ['reservations'],
  ['messages', 'approvals', 'tasks', 'finance', 'incidents'],
  ['assignment', 'stay-tasks'],
  ['stays', 'analytics', 'search'],
];
/** Only these know the queue's libraries, so that a saga can be accepted while Redis is down. */
const KNOWS_QUEUES = new Set(['queues', 'workers', 'ops']);
const QUEUE_LIBRARIES = /^(bullmq|ioredis|@bull-board\/.*)$/;

const root = path.join(import.meta.dirname, '../../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
);
const sources = new Map(
  files.map((file) => [file.split(path.sep).join('/'), readFileSync(path.join(root, file), 'utf8')]),
);
const importsOf = (file: string): string[] =>
  [...(sources.get(file) ?? '').matchAll(/(?:from|import)\s+'([^']+)'|import\('([^']+)'\)/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
const resolved = (file: string, specifier: string): string => path.posix.join(path.posix.dirname(file), specifier);
const layerOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '') : '');

describe('the layers', () => {
  it('import only what stands below them', () => {
    const wrong: string[] = [];
    for (const file of sources.keys()) {
      const allowed = ALLOWED[layerOf(file)];
      if (!allowed) continue;
      for (const specifier of importsOf(file)) {
        if (!specifier.startsWith('.')) continue;
        const target = resolved(file, specifier);
        const own = layerOf(target) === layerOf(file);
        if (
          !own &&
          !allowed.some(
            (layer) => target === `${layer}.ts` || target.startsWith(`${layer}/`) || target === `${layer}.ts`,
          )
        ) {
          wrong.push(`${file} -> ${target}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('of the domain stand one above the other, by folder, types included', () => {
    const order = DOMAIN_LAYERS.flat();
    const folderOf = (file: string): string => /^domain\/([^/]+)\//.exec(file)?.[1] ?? '';
    const folders = new Set([...sources.keys()].map(folderOf).filter((folder) => folder !== ''));
    expect([...folders].toSorted()).toEqual(order.toSorted());
    const wrong: string[] = [];
    for (const file of sources.keys()) {
      if (!file.startsWith('domain/')) continue;
      for (const specifier of importsOf(file).filter((name) => name.startsWith('.'))) {
        const target = resolved(file, specifier);
        const isUp = target.startsWith('domain/') && order.indexOf(folderOf(target)) > order.indexOf(folderOf(file));
        if (isUp) wrong.push(`${file} -> ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('know BullMQ and ioredis only where travel is their work', () => {
    const wrong = [...sources.keys()].filter(
      (file) =>
        layerOf(file) !== '' &&
        !KNOWS_QUEUES.has(layerOf(file)) &&
        importsOf(file).some((name) => QUEUE_LIBRARIES.test(name)),
    );
    expect(wrong).toEqual([]);
  });

  it('use of the engine nothing but its types and its store in the queues', () => {
    const wrong: string[] = [];
    for (const [file, text] of sources) {
      if (layerOf(file) !== 'queues') continue;
      for (const match of text.matchAll(/import (type )?[^;]*? from '(\.\.\/engine\/[^']+)'/g)) {
        if (match[1] === undefined && !match[2]?.startsWith('../engine/store/')) wrong.push(`${file} -> ${match[2]}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('load no library of a provider with its declaration', () => {
    const declarations = [...sources.keys()].filter((file) => /^gateways\/[^/]+\/provider\.ts$/.test(file));
    const arrows = new Map([...sources.keys()].map((file) => [file, new Set(loadedWith(file))]));
    expect(declarations.length).toBeGreaterThan(3);
    for (const file of declarations) {
      const own = [file, ...reachedFrom(file, arrows)].filter((name) => layerOf(name) === 'gateways');
      const libraries = own.flatMap(loadedWith).filter((name) => !sources.has(name) && !name.startsWith('node:'));
      expect(new Set(libraries), file).toEqual(new Set(['zod']));
    }
  });

  it('load the libraries of passkeys and of identity providers when somebody signs in by one', () => {
    const LIBRARY = /^(?:openid-client|@simplewebauthn\/server)$/;
    const all = [...sources.keys()].filter((file) => importsOf(file).some((name) => LIBRARY.test(name)));
    expect(all.toSorted()).toEqual(['gateways/identity-provider.ts', 'http/accounts/webauthn.ts']);
    expect(all.filter((file) => importedAtOnce(file).some((name) => LIBRARY.test(name)))).toEqual([]);
  });

  it('have no cycles', () => {
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, trail: readonly string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
        return;
      }
      state.set(file, 'open');
      for (const specifier of valueImportsOf(file)) visit(resolved(file, specifier), [...trail, file]);
      state.set(file, 'done');
    };
    for (const file of sources.keys()) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

describe('the folders', () => {
  it.each(['', 'domain', 'engine'])('of src/%s form no ring, types included', (above) => {
    expect(ringsOf(above)).toEqual([]);
  });
});

/**
 * The groups of what stands directly in a folder (its files count one by one, its folders whole) of which each reaches each
 * other by imports; every group sorted and joined, in the order of the alphabet.
 */
function ringsOf(above: string): string[] {
  const prefix = above === '' ? '' : `${above}/`;
  const memberOf = (file: string): string | null =>
    file.startsWith(prefix) ? (file.slice(prefix.length).split('/')[0] ?? null) : null;
  const arrows = new Map<string, Set<string>>();
  for (const file of sources.keys()) {
    const from = memberOf(file);
    if (from === null) continue;
    const targets = arrows.get(from) ?? new Set<string>();
    arrows.set(from, targets);
    for (const specifier of importsOf(file).filter((name) => name.startsWith('.'))) {
      const to = memberOf(resolved(file, specifier));
      if (to !== null && to !== from) targets.add(to);
    }
  }
  const reach = new Map([...arrows.keys()].map((one) => [one, reachedFrom(one, arrows)]));
  const rings = [...reach].flatMap(([one, reached]) => {
    const ring = [...reached].filter((other) => other === one || reach.get(other)?.has(one));
    return reached.has(one) ? [ring.toSorted().join(' <-> ')] : [];
  });
  return [...new Set(rings)].toSorted();
}

/** By one arrow or more, so that a member of a ring reaches itself. */
function reachedFrom(start: string, arrows: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const reached = new Set<string>();
  const open = [start];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    for (const next of arrows.get(one) ?? []) {
      if (reached.has(next)) continue;
      reached.add(next);
      open.push(next);
    }
  }
  return reached;
}

/** A type is gone at run time, so a type may point back. */
function valueImportsOf(file: string): string[] {
  return importedAtOnce(file).filter((specifier) => specifier.startsWith('.'));
}

/** What Node loads before the file: neither types nor `import()`. */
function importedAtOnce(file: string): string[] {
  const text = (sources.get(file) ?? '').replaceAll(/import type [^;]+;/g, '');
  return [...text.matchAll(/(?:from|import)\s+'([^']+)'/g)].map((match) => match[1] ?? '');
}
const loadedWith = (file: string): string[] =>
  importedAtOnce(file).map((specifier) => (specifier.startsWith('.') ? resolved(file, specifier) : specifier));

describe('the scripts of a browser', () => {
  it('import only one another, and stand in one folder', () => {
    expect([...BROWSER_FILES.keys()].filter((file) => !file.startsWith('web/browser/'))).toEqual([]);
    const imports = [...BROWSER_FILES].flatMap(([file, text]) =>
      [...text.matchAll(/\bfrom\s+'([^']+)'|\bimport\(\s*'([^']+)'|\bimport\s+'([^']+)'/g)].map(
        ([, from, loaded, ran]) => [file, from ?? loaded ?? ran ?? ''] as const,
      ),
    );
    expect(imports.length).toBeGreaterThan(20);
    expect(imports.filter(([, specifier]) => !/^\.\/[a-z-]+\.(?:js|ts)$/.test(specifier))).toEqual([]);
  });
});

describe('the engine', () => {
  const TABLES = [
    'saga',
    'saga_step',
    'step_attempt',
    'saga_signal',
    'saga_amendment',
    'redrive',
    'redrive_saga',
    'outbox',
  ];

  it('writes its tables in one folder', () => {
    const writes = new RegExp(
      `(?:insertInto|updateTable|deleteFrom|mergeInto)\\(\\s*['"\`](?:${TABLES.join('|')})\\b` +
        `|\\b(?:INSERT\\s+INTO|UPDATE|DELETE\\s+FROM|MERGE\\s+INTO|TRUNCATE)\\s+(?:ONLY\\s+)?"?(?:${TABLES.join('|')})\\b`,
    );
    const writers = [...sources].filter(([, text]) => writes.test(withoutComments(text))).map(([file]) => file);
    expect(writers.filter((file) => !file.startsWith('engine/store/'))).toEqual([]);
    // The pattern still finds the ones that there are.
    expect(writers).toEqual(
      expect.arrayContaining(
        ['accept', 'attempts', 'fused', 'outbox', 'sagas', 'steps', 'waits'].map((file) => `engine/store/${file}.ts`),
      ),
    );
  });

  it('knows no path, no role and no portfolio', () => {
    const known = [...sources].filter(
      ([file, text]) =>
        layerOf(file) === 'engine' && /\/api\/|\brole\b|portfolio|agent_ids/i.test(withoutComments(text)),
    );
    expect(known.map(([file]) => file)).toEqual([]);
  });

  it('keeps its files under 350 lines', () => {
    const long = [...sources].filter(([file, text]) => layerOf(file) === 'engine' && text.split('\n').length > 350);
    expect(long.map(([file]) => file)).toEqual([]);
  });
});

const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');

describe('the rules of the house', () => {
  const offenders = (pattern: RegExp, except: (file: string) => boolean): string[] =>
    [...sources].filter(([file, text]) => !except(file) && pattern.test(text)).map(([file]) => file);

  it('reads the environment in one place', () => {
    expect(offenders(/process\.env\b/, (file) => file === 'config.ts')).toEqual([]);
  });

  it('writes reservations only in their store, against the state machine', () => {
    const writes = /updateTable\('reservation'\)|UPDATE reservation\b/;
    expect(offenders(writes, (file) => file === 'domain/reservations/store.ts')).toEqual([]);
  });

  it('calls nothing over the network from an HTTP handler', () => {
    expect(offenders(/\bfetch\(/, (file) => !file.startsWith('http/'))).toEqual([]);
  });

  it('writes values into the text of statements only by the helper that is typed to constants', () => {
    expect(offenders(/\bsql\s*\.\s*(?:lit|literal|raw)\b|createImmediate/, (file) => file === 'db/literal.ts')).toEqual(
      [],
    );
  });

  it('puts no amount in minor units into the details of a refusal', () => {
    const named = [...sources].flatMap(([file, text]) =>
      [
        ...text
          .replaceAll(/\b(?:toMajor|major)\((?:\{[^}]*\}|[^)]*)\)/g, 'major')
          .matchAll(/(?:\bnew \w*Error|\bnotVerified|\bdeclined)\([^;]*?;/g),
      ]
        // As a key, or as a value that is its own key.
        .filter(([refusal]) => /[{,]\s*\w+Minor\s*[,:}]/.test(refusal))
        .map(([refusal]) => `${file}: ${refusal}`),
    );
    expect(named).toEqual([]);
  });

  it('draws random numbers only where ids and waits are made', () => {
    const allowed = new Set(['kernel/backoff.ts', 'kernel/ids.ts']);
    expect(
      offenders(/Math\.random|randomBytes|randomUUID/, (file) => allowed.has(file) || file.startsWith('ops/')),
    ).toEqual([]);
  });
});
