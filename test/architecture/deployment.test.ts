import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PROGRAM_FLAGS } from '../../scripts/services/program-flags.ts';
import { redisUser } from '../../scripts/services/redis-rights.ts';
import { readConfig } from '../../src/config.ts';
import { PROVIDER_VARIABLES } from '../../src/config-providers.ts';
import { CATALOGUE } from '../../src/kernel/errors.ts';
import { BACKGROUND_ROLES } from '../../src/workers/roles.ts';

/** Files that cannot be run everywhere are at least read: compose, Dockerfile, manifests. */
const root = path.join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

interface Compose {
  readonly services: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

describe('docker-compose.yml', () => {
  const { services, networks } = parse(read('docker-compose.yml'), { merge: true }) as Compose;
  const networksOf = (name: string): readonly string[] => {
    const named = services[name]?.['networks'];
    return Array.isArray(named) ? named.map(String) : [];
  };
  const hasWayOut = (name: string): boolean => networksOf(name).some((network) => networks[network]?.internal !== true);

  it('has every part, and migrates once before the programs start', () => {
    expect(Object.keys(services).toSorted()).toEqual([
      'api',
      'api-2',
      'background',
      'mail',
      'maintain',
      'migrate',
      'postgres',
      'proxy',
      'redis',
      'worker',
    ]);
    expect(services['postgres']?.['image']).toBe('postgres:18');
    expect(services['redis']?.['image']).toBe('redis:8');
    for (const name of ['api', 'worker', 'background', 'maintain']) {
      expect(services[name]?.['depends_on']).toMatchObject({
        migrate: { condition: 'service_completed_successfully' },
      });
    }
  });

  it('runs Redis with an append-only file and without eviction', () => {
    const command = JSON.stringify(services['redis']?.['command']);
    expect(command).toContain('--appendonly yes');
    expect(command).toContain('--maxmemory-policy noeviction');
  });

  it('K12: gives the programs an account of Redis that may do what they need, and has no other by default', () => {
    const command = services['redis']?.['command'];
    const script = (command as readonly string[])[2] ?? '';
    expect(script).toContain(`echo "${redisUser('>$$REDIS_PASSWORD')}"`);
    expect(script).toContain('else echo "user default off"');
    expect(services['redis']).toHaveProperty('environment.REDIS_ADMIN_PASSWORD');
    expect(services['api']).toHaveProperty('environment.REDIS_URL', expect.stringMatching(/^redis:\/\/roomy:/));
  });

  it.each(['worker', 'background'])('lets %s be scaled: it has no name and no port of its own', (name) => {
    expect(services[name]).not.toHaveProperty('container_name');
    expect(services[name]).not.toHaveProperty('ports');
  });

  it('serves every role once, and the sagas apart from everything that nobody waits for', () => {
    const rolesOf = (name: string): readonly string[] => {
      const environment = services[name]?.['environment'] as Readonly<Record<string, string>>;
      return environment['ROLES']?.split(',') ?? [];
    };
    expect(rolesOf('worker')).toEqual(['sagas']);
    expect(rolesOf('background').toSorted()).toEqual(BACKGROUND_ROLES.toSorted());
  });

  it('O1, C1: publishes the operators’ port on this machine only, where the programs have it by themselves', () => {
    const ports = Object.values(services).flatMap((service) => [service['ports'] ?? []].flat().map(String));
    expect(ports.length).toBeGreaterThan(1);
    const open = ports.filter((port) => !port.startsWith('127.0.0.1:'));
    // Of the proxy, which is there with its profile only.
    expect(open).toEqual([services['proxy']?.['ports']].flat());
    expect([services['proxy']?.['profiles'], services['api-2']?.['profiles']]).toEqual([['edge'], ['edge']]);
    const keys = { JWT_KEYS: 'k1:0123456789abcdef0123456789abcdef' };
    const { ops } = readConfig({ NODE_ENV: 'test', DATABASE_URL: 'postgres://x', REDIS_URL: 'redis://x', ...keys });
    expect(ops?.host).toBe('127.0.0.1');
  });

  it('C1: hardens every container and publishes no database', () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service).toMatchObject({
        ...{ init: true, read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] },
        ...{ user: expect.stringMatching(/^(?:1000:1000|postgres|redis)$/), pids_limit: expect.any(Number) },
        ...{
          mem_limit: expect.stringMatching(/^\d+[mg]$/),
          tmpfs: expect.arrayContaining(['/tmp:mode=1777,size=64m']),
        },
      });
      for (const wide of ['privileged', 'cap_add', 'network_mode', 'pid', 'devices'])
        expect(service, name).not.toHaveProperty(wide);
      const runsOn = !['maintain', 'migrate'].includes(name);
      if (runsOn) expect(service, name).toHaveProperty('healthcheck.test');
      const mounted = [service['volumes'] ?? []].flat().map(String);
      expect(mounted.filter((volume) => !/^(?:roomy|postgres|redis|proxy):/.test(volume))).toEqual([]);
    }
    for (const name of ['postgres', 'redis']) expect(services[name]).not.toHaveProperty('ports');
  });

  it('C1: lets the programs that call gateways, mail servers and webhooks out, and no database', () => {
    const all = Object.keys(services);
    expect(all.flatMap(networksOf).filter((network) => !(network in networks))).toEqual([]);
    expect(all.filter(hasWayOut).toSorted()).toEqual(['api', 'api-2', 'background', 'mail', 'proxy', 'worker']);
    // The proxy reaches the APIs, and neither database.
    expect(all.filter((name) => !networksOf(name).includes('internal'))).toEqual(['proxy']);
    expect(all.filter((name) => networksOf(name).includes('front')).toSorted()).toEqual(['api', 'api-2', 'proxy']);
  });

  it('puts a proxy that knows both APIs, and no sticky sessions, in front of them with the profile `edge`', () => {
    const caddy = read('deploy/caddy/Caddyfile');
    expect(caddy).toMatch(/^\treverse_proxy api:3000 api-2:3000 \{$/m);
    expect(caddy).toContain('lb_policy round_robin');
    expect(caddy).toContain('flush_interval -1');
    const [api, second] = [services['api'], services['api-2']];
    expect({ ...second, profiles: 0, ports: 0, networks: 0 }).toEqual({ ...api, profiles: 0, ports: 0, networks: 0 });
  });

  it('starts programs that exist', () => {
    for (const name of ['api', 'worker', 'background', 'maintain', 'migrate']) {
      const command = services[name]?.['command'];
      expect(Array.isArray(command) ? read(String(command[1])) : '').not.toBe('');
    }
  });
});

describe('C1, C2: the Dockerfile', () => {
  it('runs as somebody who is not root, and holds no tests', () => {
    const text = read('Dockerfile');
    expect(text).toMatch(/^USER 1000:1000$/m);
    expect(text.lastIndexOf('USER ')).toBeLessThan(text.indexOf('CMD '));
    expect(text).not.toMatch(/COPY (\.|test|bench|scripts)/);
  });
});

it('bounds the heap of API and workers alike, whoever starts them', () => {
  const flags = PROGRAM_FLAGS.join(' ');
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
  for (const name of ['api', 'worker']) expect(scripts[name]).toContain(`node ${flags} `);
  expect(read('Dockerfile')).toContain(`NODE_OPTIONS="${flags}"`);
});

describe('package.json', () => {
  const manifest = JSON.parse(read('package.json')) as Readonly<Record<string, Readonly<Record<string, string>>>>;

  it('C3: pins every version exactly', () => {
    for (const kind of ['dependencies', 'devDependencies']) {
      for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
        expect(`${name} ${version}`).toMatch(/ \d+\.\d+\.\d+(-[\w.]+)?$/);
      }
    }
  });

  it('C5: has no version below the floors of the advisories', () => {
    const packages = (JSON.parse(read('package-lock.json')) as { packages: Record<string, { version?: string }> })
      .packages;
    const floors = { hono: [4, 13, 18], '@hono/node-server': [2, 1, 7], kysely: [0, 28, 17], bullmq: [6, 0, 7] };
    for (const [name, floor] of Object.entries(floors)) {
      const installed = (packages[`node_modules/${name}`]?.version ?? '').split('.').map(Number);
      const difference = floor.findIndex((part, n) => (installed[n] ?? 0) !== part);
      expect(
        difference === -1 || (installed[difference] ?? 0) > (floor[difference] ?? 0),
        `${name} ${installed.join('.')}`,
      ).toBe(true);
    }
  });
});

describe('.env.example', () => {
  it('explains every variable that the programs read', () => {
    const text = read('.env.example');
    const sources = `${read('src/config.ts')}${read('src/config-sign-in.ts')}${read('src/config-incidents.ts')}${read('src/config-telemetry.ts')}${read('src/config-backup.ts')}${read('src/config-retention.ts')}`;
    const names = [...sources.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map((match) => match[1] ?? '');
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => name !== 'NODE_ENV' && !text.includes(`${name}=`))).toEqual([]);
    // A provider explains its own in its `provider.ts`; those that come with the product are here too.
    expect(PROVIDER_VARIABLES.filter(({ description }) => !description)).toEqual([]);
    const come = PROVIDER_VARIABLES.filter(({ provider }) =>
      ['sandbox', 'stripe', 'smtp', 'twilio'].includes(provider),
    );
    expect(come.length).toBeGreaterThan(8);
    expect(come.filter(({ name }) => !text.includes(`${name}=`))).toEqual([]);
    expect(text).toContain('PAYMENT_GATEWAYS=');
  });
});

describe('the configuration', () => {
  it('K2: reports all problems at once, by name, and never a value', () => {
    const attempt = () => readConfig({ DATABASE_URL: 'mysql://user:hunter2@db', JWT_KEYS: 'k1:changeme', PORT: 'x' });
    expect(attempt).toThrow(/DATABASE_URL[\s\S]*REDIS_URL: is required[\s\S]*JWT_KEYS/);
    expect(attempt).not.toThrow(/hunter2|changeme/);
  });

  it.each([
    '',
    'k1:short',
    `k1:${'a'.repeat(40)}`,
    'nokid',
    'k1:0123456789abcdef0123456789abcdef,k1:0123456789abcdef0123456789abcdeX',
  ])('J13: refuses the weak or ambiguous keys %j', (keys) => {
    expect(() => readConfig({ DATABASE_URL: 'postgres://x', REDIS_URL: 'redis://x', JWT_KEYS: keys })).toThrow(
      /JWT_KEYS/,
    );
  });
});

describe('ROLES', () => {
  const complete = {
    NODE_ENV: 'test',
    DATABASE_URL: 'postgres://x',
    REDIS_URL: 'redis://x',
    JWT_KEYS: 'k1:0123456789abcdef0123456789abcdef',
  };
  const rolesOf = (roles?: string) => readConfig({ ...complete, ROLES: roles }).workerRoles;

  it('is everything unless it says less, each role once and in one order', () => {
    const all = ['sagas', 'messages', 'tasks', 'finance', 'webhooks', 'recurring'];
    expect(rolesOf()).toEqual(all);
    expect(rolesOf('')).toEqual(all);
    expect(rolesOf(all.toReversed().join())).toEqual(all);
    expect(rolesOf(' tasks, messages,tasks')).toEqual(['messages', 'tasks']);
  });

  it.each(['cooks', 'sagas,cooks', ',', 'Sagas'])('refuses %j and says what there is', (roles) => {
    expect(() => rolesOf(roles)).toThrow('ROLES: must be some of sagas, messages, tasks, finance, webhooks, recurring');
  });
});

describe('the catalogue of errors', () => {
  it('has a test for every code', () => {
    const tests = ['src', 'test']
      .flatMap((folder) =>
        readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
          path.join(folder, file),
        ),
      )
      .filter((file) => file.endsWith('.test.ts') && !file.endsWith('deployment.test.ts'))
      .map(read)
      .join('\n');
    expect(Object.keys(CATALOGUE).filter((code) => !tests.includes(code))).toEqual([]);
  });
});
