import type { Program } from '../services/package.ts';
import type { Machine, StandIn } from './machine.ts';

/** Every form of what `npm start` and `npm test` look for, and of where they run. */

const VARIABLES = /^(LD_LIBRARY_PATH|FONTCONFIG_FILE)$/;

/** A script that runs the program with the variables it needs. */
const runs = ({ command, env }: Program): { readonly script: string } => {
  const variables = Object.entries(env).filter(([name]) => VARIABLES.test(name));
  return { script: `exec env ${variables.map(([name, value]) => `${name}='${value}'`).join(' ')} '${command}' "$@"` };
};
const redis: StandIn = (real) => runs(real.redis);
const chromium: StandIn = (real) => runs(real.chromium);
const linkTo =
  (link: string): StandIn =>
  () => ({ link });
const script =
  (text: string): StandIn =>
  () => ({ script: text });
const broken = script('echo "error while loading shared libraries: libatomic.so.1" >&2; exit 127');
const snapStub = script('echo "Command requires the snap to be installed." >&2; exit 1');

const START = { what: 'start' } as const;
const TEST = { what: 'test' } as const;
const TEST_BROWSER = { what: 'test', files: ['test/work/approval.test.ts'] } as const;
/** What plays machines within a test must itself not depend on this one. */
const TEST_LOOK_UP = { what: 'test', files: ['test/services'] } as const;
const TEST_ALL = { what: 'test', files: [...TEST_LOOK_UP.files, ...TEST_BROWSER.files] } as const;
const COMPILERS = ['cc', 'gcc', 'clang'];
const NO_APT = ['apt-get', 'apt-cache', 'dpkg', 'dpkg-deb'];

const PROGRAMS: readonly Omit<Machine, 'group'>[] = [
  { name: 'nothing installed', fresh: true, plays: [{ what: 'start', says: /fetching the package/ }, TEST_ALL] },
  { name: 'redis-server', programs: { 'redis-server': redis }, plays: [START, TEST_LOOK_UP] },
  { name: 'valkey-server', programs: { 'valkey-server': redis }, plays: [START] },
  { name: 'redis-server, a link', programs: { 'redis-server': linkTo('redis-7'), 'redis-7': redis }, plays: [START] },
  {
    name: 'redis-server, broken',
    programs: { 'redis-server': broken },
    plays: [{ what: 'start', says: /redis-server does not run/ }, TEST_LOOK_UP],
  },
  {
    name: 'redis-server, broken, and valkey-server',
    programs: { 'redis-server': broken, 'valkey-server': redis },
    plays: [{ what: 'start', says: /redis-server does not run/ }],
  },
  {
    name: 'redis-server 5',
    programs: { 'redis-server': script('echo "Redis server v=5.0.14 sha=00000000:0 malloc=libc bits=64"') },
    plays: [{ what: 'start', says: /is version 5\.0, and 6\.2 or newer is needed/ }],
  },
  {
    name: 'redis-server, knows only its version',
    programs: { 'redis-server': script('[ "$1" = --version ] && echo "Redis server v=7.2.0 bits=64" || exit 1') },
    plays: [{ what: 'start', says: /redis-server does not start/ }],
  },
  { name: 'redis-server, no apt', programs: { 'redis-server': redis }, lacks: NO_APT, plays: [START] },
  {
    name: 'no Redis, no apt',
    fresh: 'installed',
    lacks: NO_APT,
    plays: [
      { what: 'start', says: /Building Redis \d/ },
      { what: 'start', offline: true },
    ],
  },
  {
    name: 'no Redis, apt reaches nothing',
    fresh: 'installed',
    programs: { 'apt-get': script('[ "$1" = --version ]'), 'apt-cache': script('exit 1') },
    plays: [{ what: 'start', says: /Building Redis \d/ }],
  },
  {
    name: 'no Redis, no apt, no compiler',
    fresh: 'installed',
    lacks: [...NO_APT, ...COMPILERS],
    plays: [{ what: 'start', refused: /No Redis: this system has no apt-get.*, and no C compiler.*set REDIS_URL/ }],
  },
  {
    name: 'no Redis, dnf, no compiler',
    fresh: 'installed',
    lacks: [...NO_APT, ...COMPILERS],
    programs: { dnf: script('exit 0') },
    plays: [{ what: 'start', refused: /No Redis: .*Run "sudo dnf install [^"]+", or set REDIS_URL/ }],
  },
  { name: 'chromium', programs: { chromium }, plays: [TEST_BROWSER] },
  {
    name: 'chromium-browser, a link',
    programs: { 'chromium-browser': linkTo('chrome-1'), 'chrome-1': chromium },
    plays: [TEST_BROWSER],
  },
  { name: 'google-chrome', programs: { 'google-chrome': chromium }, plays: [TEST_BROWSER] },
  {
    name: 'chromium-browser of no snap, google-chrome-stable',
    programs: { 'chromium-browser': snapStub, 'google-chrome-stable': chromium },
    plays: [TEST_BROWSER],
  },
  {
    name: 'chromium broken, google-chrome knows only its version',
    programs: { chromium: broken, 'google-chrome': script('echo "Google Chrome 150.0.1.1"') },
    plays: [TEST_ALL],
  },
  {
    name: 'postgres and PG* of another server',
    programs: { postgres: broken, initdb: broken, pg_ctl: broken, psql: broken },
    env: {
      PGHOST: '192.0.2.1',
      PGPORT: '1',
      PGUSER: 'nobody',
      PGDATA: '/nonexistent',
      PGPASSWORD: 'x',
      PGSSLMODE: 'require',
    },
    plays: [START, TEST],
  },
  {
    name: 'everything',
    programs: { 'redis-server': redis, 'valkey-server': redis, chromium, 'google-chrome': chromium },
    plays: [START, TEST_ALL],
  },
];

const NODES: readonly Omit<Machine, 'group'>[] = [
  {
    name: 'Node 18',
    node: '18.20.8',
    npm: '10.9.9',
    fresh: true,
    plays: [{ what: 'start', refused: /Node 20 or newer is needed/ }],
  },
  { name: 'Node 20, npm 10', node: '20.20.2', npm: '10.9.9', fresh: true, plays: [START, TEST] },
  { name: 'Node 22', node: '22.23.3', fresh: true, plays: [START, TEST] },
  { name: 'Node 24', node: '24.21.0', fresh: true, plays: [START, TEST] },
  { name: 'Node 26, npm 12', node: '26.10.0', npm: '12.2.2', fresh: true, plays: [START, TEST] },
  ...['20.20.2', '22.23.3', '24.21.0'].map((node) => ({
    name: `production, Node ${node.slice(0, 2)}`,
    node,
    fresh: true,
    plays: [{ what: 'production', refused: /^Node 26 or newer is needed/ } as const],
  })),
  { name: 'production, Node 26', node: '26.10.0', fresh: true, plays: [{ what: 'production' }] },
  { name: 'no install scripts', env: { npm_config_ignore_scripts: 'true' }, fresh: true, plays: [START, TEST] },
  { name: 'NODE_ENV=production', env: { NODE_ENV: 'production' }, fresh: true, plays: [START] },
];

const ACCOUNTS: readonly Omit<Machine, 'group'>[] = [
  { name: 'this account', plays: [START, TEST] },
  { name: 'another account, not root', account: 'other', fresh: true, plays: [START, TEST_BROWSER] },
  { name: 'not root, read-only HOME', account: 'other', home: 'read-only', fresh: true, plays: [START, TEST_BROWSER] },
  { name: 'HOME unset', home: 'unset', plays: [START, TEST_BROWSER] },
];

const PLACES: readonly Omit<Machine, 'group'>[] = [
  {
    name: 'a path with spaces, quotes and more',
    folder: "Über uns' (2) 客房 & Co",
    fresh: true,
    plays: [START, TEST_BROWSER],
  },
  // Vite, which runs the tests, says itself that it does not work there.
  { name: 'a path with # and %', folder: 'no # 5, 100% {new}', fresh: true, plays: [START] },
  {
    name: 'a path that a shell would change',
    folder: 'costs $5',
    fresh: true,
    plays: [{ what: 'start', refused: /Postgres cannot run below a folder with .*Move the checkout/ }],
  },
  { name: 'a folder closed to others', folder: 'closed', closed: true, fresh: true, plays: [START, TEST] },
  { name: 'a TMPDIR with spaces', tmpdir: 'temporary files ü', plays: [START, TEST_BROWSER] },
];

const LOCALES: readonly Omit<Machine, 'group'>[] = [
  ['Asia/Shanghai', 'zh_CN.UTF-8'],
  ['America/Los_Angeles', 'C'],
  ['Europe/Istanbul', 'tr_TR.UTF-8'],
  ['Africa/Cairo', 'ar_EG.UTF-8'],
  ['Asia/Kolkata', 'hi_IN'],
].map(([TZ = '', LANG = '']) => ({ name: `${TZ}, ${LANG}`, env: { TZ, LANG, LC_ALL: LANG }, plays: [START, TEST] }));

const PORTS: readonly Omit<Machine, 'group'>[] = [
  {
    name: 'port 3000 taken',
    taken: [{ port: 3000, host: '0.0.0.0' }],
    plays: [{ what: 'start', says: /Port 3000 is in use: taking 3\d00 instead/ }],
  },
  {
    name: 'ports 3000 and 3001 taken',
    taken: [
      { port: 3000, host: '127.0.0.1' },
      { port: 3001, host: '127.0.0.1' },
    ],
    plays: [{ what: 'start', says: /Port 3001 is in use: taking 3\d01 instead/ }, TEST],
  },
  {
    name: 'port 3000 taken on IPv6',
    taken: [{ port: 3000, host: '::1' }],
    plays: [{ what: 'start', says: /Port 3000 is in use/ }],
  },
  {
    name: 'PORT=3000, and taken',
    taken: [{ port: 3000, host: '0.0.0.0' }],
    env: { PORT: '3000' },
    plays: [{ what: 'start', refused: /Port 3000 is already in use.*PORT=3100 npm start/ }],
  },
];

const NETWORK: readonly Omit<Machine, 'group'>[] = [
  {
    name: 'no network from the second start on',
    fresh: true,
    plays: [START, TEST_BROWSER, { what: 'start', offline: true }, { ...TEST_BROWSER, offline: true }],
  },
];

const inGroup = (group: Machine['group'], machines: readonly Omit<Machine, 'group'>[]): readonly Machine[] =>
  machines.map((machine) => ({ ...machine, group }));

export const MACHINES: readonly Machine[] = [
  ...inGroup('programs', PROGRAMS),
  ...inGroup('locale', LOCALES),
  ...inGroup('ports', PORTS),
  ...inGroup('place', PLACES),
  ...inGroup('account', ACCOUNTS),
  ...inGroup('node', NODES),
  ...inGroup('network', NETWORK),
];
