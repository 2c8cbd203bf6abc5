import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statedFiles } from '../../../../test/docs/page.ts';
import { MATRIX } from '../matrix-table.ts';

/** The example of docs/write-a-message.md, word for word, in a copy of the source: two files, and it is everywhere. */

const ROOT = path.join(import.meta.dirname, '../../../..');
const KEY = 'guest-departed.owner@1';

/** Prints the new message as the copy sees it; run by a process of its own, as modules are loaded once. */
const PROBE = `
const at = (file) => import(new URL(\`./src/domain/messages/\${file}.ts\`, import.meta.url));
const { MATRIX, mayDecline } = await at('matrix-table');
const { TEMPLATES, VARIABLES, templateOf } = await at('templates');
const { builtInText } = await at('texts');
const { examplesOf, EXAMPLE_STAY } = await at('examples');
const { renderMessage } = await at('render');
const { expectedOf } = await at('expected');
const { untrue } = await at('delivery-conditions');
const stay = { guestId: 'guest-1', guestHasPhone: true, ownerId: 'owner-1', willBePaid: false, isPayoutOpen: false,
  hasDevice: false, agentIds: [], isInspected: false, tasks: [], reminders: [] };
const forecast = (status) => expectedOf({ ...stay, status }).filter(({ event }) => event === 'GUEST_DEPARTED');
const truth = (reservationStatus) => untrue({ facts: { ...EXAMPLE_STAY, reservationStatus },
  conditions: { event: 'GUEST_DEPARTED' }, template: '${KEY}', recipientId: 'owner-1' });
console.log(JSON.stringify({
  matrix: MATRIX.filter(({ event }) => event === 'GUEST_DEPARTED'),
  owners: MATRIX.filter(({ recipientType }) => recipientType === 'OWNER').map(({ event }) => event),
  mayDecline: mayDecline('GUEST_DEPARTED', 'OWNER', 'EMAIL'),
  listed: Object.keys(TEMPLATES).includes('${KEY}'),
  variables: VARIABLES['GUEST_DEPARTED'],
  recipientType: templateOf('${KEY}')?.recipientType,
  previews: ['en', 'ar'].map((locale) =>
    renderMessage(builtInText('${KEY}', locale), 'EMAIL', examplesOf('GUEST_DEPARTED', locale)).text),
  forecast: [forecast('CONFIRMED'), forecast('CHECKED_OUT')],
  truth: [truth('CHECKED_OUT'), truth('CHECKED_IN')],
}));
`;

interface Seen {
  readonly matrix: unknown;
  readonly owners: unknown;
  readonly mayDecline: unknown;
  readonly listed: unknown;
  readonly variables: unknown;
  readonly recipientType: unknown;
  readonly previews: readonly [string, string];
  readonly forecast: unknown;
  readonly truth: unknown;
}

describe('the example of docs/write-a-message.md', () => {
  let copy = '';
  let seen: Seen;

  beforeAll(async () => {
    const page = await readFile(path.join(ROOT, 'docs/write-a-message.md'), 'utf8');
    const [file = '', imported = '', listed = ''] = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
    // Below the checkout, so that the packages are found.
    await mkdir(path.join(ROOT, '.roomy'), { recursive: true });
    copy = await mkdtemp(path.join(ROOT, '.roomy/write-a-message-'));
    for (const folder of ['domain', 'db', 'kernel']) {
      await cp(path.join(ROOT, 'src', folder), path.join(copy, 'src', folder), { recursive: true });
    }
    await cp(path.join(ROOT, 'package.json'), path.join(copy, 'package.json'));
    const catalogue = path.join(copy, 'src/domain/messages/catalogue');
    await writeFile(path.join(catalogue, 'guest-departed.ts'), file);
    const index = await readFile(path.join(catalogue, 'index.ts'), 'utf8');
    expect(index).toContain('  newReservation,\n');
    const added = index.replace('  newReservation,\n', `  newReservation,\n${listed}`);
    await writeFile(path.join(catalogue, 'index.ts'), `${imported}${added}`);
    await writeFile(path.join(copy, 'probe.ts'), PROBE);
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(copy, 'probe.ts')]);
    seen = JSON.parse(stdout);
  }, 30_000);
  afterAll(() => rm(copy, { recursive: true, force: true }));

  it('takes the two files that the page names, beside the act that orders it', () => {
    expect(statedFiles('write-a-message.md')).toEqual([2]);
  });

  it('is in the matrix, where the index has it', () => {
    expect(seen.matrix).toEqual([
      { event: 'GUEST_DEPARTED', recipientType: 'OWNER', channels: ['EMAIL'], isBriefs: false, isOwed: false },
    ]);
    const owners = MATRIX.filter(({ recipientType }) => recipientType === 'OWNER').map(({ event }) => event);
    expect(seen.owners).toEqual(
      owners.flatMap((event) => (event === 'NEW_RESERVATION' ? [event, 'GUEST_DEPARTED'] : [event])),
    );
    expect(seen.mayDecline).toBe(true);
  });

  it('is among the templates, with its variables, and is seen before it is sent in both languages', () => {
    expect(seen).toMatchObject({ listed: true, recipientType: 'OWNER' });
    expect(seen.variables).toEqual(expect.arrayContaining(['recipientName', 'ownerShare', 'propertyName']));
    const [english, arabic] = seen.previews;
    expect(english).toBe(`Dear Aisha Rahman,

The stay at Marina View 1204 from 1 June 2027 to 4 June 2027 is over.

Your share: AED 700.00

Reservation reservation-1`);
    expect(arabic).toContain('انتهت الإقامة في \u2068Marina View 1204\u2069');
  });

  it('is in the forecast until the guest has left', () => {
    const expected = { on: 'CHECK_OUT', why: 'when the guest is checked out', recipientId: 'owner-1' };
    expect(seen.forecast).toMatchObject([[{ ...expected, status: 'EXPECTED', channel: 'EMAIL' }], []]);
  });

  it('is sent only while it is true', () => {
    expect(seen.truth).toEqual([null, { status: 'SKIPPED', reason: 'STALE' }]);
  });
});
