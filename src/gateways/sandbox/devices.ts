import { randomInt } from 'node:crypto';
import type {
  ActivateRequest,
  Activation,
  Amenities,
  ChangePeriodRequest,
  DeactivateRequest,
  DeviceGrant,
} from '../../domain/ports.ts';
import { pause } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { canonicalJson } from '../../kernel/json.ts';
import { deviceFaultOf } from './behaviour.ts';
import { openSandboxFile, type Query, type Row } from './file.ts';

/**
 * Locks and switches that remember their orders, under idempotency keys, and whose names misbehave as domain.md 18
 * says. The state is theirs: it survives a restart, and anybody may read it.
 */
export interface SandboxDevices extends Amenities {
  close(): void;
}

const SCHEMA_VERSION = 1;
const SCHEMA = `
CREATE TABLE call (
  device TEXT NOT NULL, idem_key TEXT NOT NULL, body TEXT NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (device, idem_key)
) WITHOUT ROWID;
CREATE TABLE access (
  n INTEGER PRIMARY KEY, device TEXT NOT NULL, activation_key TEXT NOT NULL, reservation_id TEXT NOT NULL, provider_id TEXT NOT NULL UNIQUE,
  code TEXT NOT NULL, valid_from TEXT NOT NULL, valid_until TEXT NOT NULL, active INTEGER NOT NULL, UNIQUE (device, activation_key)
);
-- Nothing can come of these any more.
CREATE TABLE settled (device TEXT NOT NULL, activation_key TEXT NOT NULL, PRIMARY KEY (device, activation_key)) WITHOUT ROWID;
`;

/** A lost answer is noticed after this long; a real device's would take the whole timeout. */
const TIMEOUT_MS = 250;
const MAX_GRANTS = 100;

/** The answer of a call, decided in the record's transaction and given after its commit; `lost`: it never arrives. */
type Reply<T> = { readonly answer: T } | 'lost';

export function createSandboxDevices({ dir }: { readonly dir: string }): SandboxDevices {
  const file = openSandboxFile(dir, {
    name: 'sandbox-devices.db',
    version: SCHEMA_VERSION,
    schema: SCHEMA,
    busy: (cause) => unavailable('DEVICE_BUSY', cause),
  });
  const sql = statements(file.query);

  async function exchange<T>(
    request: ActivateRequest | ChangePeriodRequest | DeactivateRequest,
    signal: AbortSignal,
    work: (isRepeat: boolean) => T,
  ): Promise<T> {
    const { device, key, ...body } = request;
    const fault = deviceFaultOf(device);
    if (fault === 'down') throw unavailable('DEVICE_DOWN');
    if (fault === 'refused') throw refused('DEVICE_REFUSED');
    const reply = file.transaction((): Reply<T> => {
      const asked = canonicalJson(body);
      const [call] = sql.count(device, key, asked);
      if (call?.['body'] !== asked) {
        throw new RoomyError('STEP_FAILED', { details: { amenityError: 'IDEMPOTENCY_KEY_REUSED' } });
      }
      const answer = work(Number(call['calls']) > 1);
      return fault === 'timeout-after' && call['calls'] === 1 ? 'lost' : { answer };
    });
    if (reply !== 'lost') return reply.answer;
    await pause(TIMEOUT_MS, signal);
    throw new RoomyError('STEP_TIMEOUT', { cause: 'the sandbox device lost the answer' });
  }

  return {
    activate: (request, signal) =>
      exchange(request, signal, (): Activation => {
        const { device, key, reservationId, from, until } = request;
        if (sql.isSettled(device, key).length > 0) {
          throw refused('TAKEN_BACK');
        }
        const code = String(randomInt(0, 1_000_000)).padStart(6, '0');
        sql.grant(device, key, reservationId, newId('grant'), code, from, until);
        const [row] = sql.byKey(device, key);
        return { providerId: String(row?.['provider_id']), accessCode: String(row?.['code']) };
      }),
    changePeriod: (request, signal) =>
      exchange(request, signal, (isRepeat) => {
        const { device, activationKey, from, until } = request;
        // A repeat may come late, after another change.
        if (!isRepeat && sql.change(from, until, device, activationKey).length === 0) throw refused('TAKEN_BACK');
      }),
    deactivate: (request, signal) =>
      exchange(request, signal, () => {
        const { device, activationKey } = request;
        sql.settle(device, activationKey);
        sql.revoke(device, activationKey);
        // Also of a repeat: what was switched off stays off.
        const outcome = sql.byKey(device, activationKey).length === 0 ? ('nothing' as const) : ('deactivated' as const);
        return { outcome };
      }),
    grantsOf: async (device) => file.transaction(() => sql.all(device, MAX_GRANTS).map(grantFrom)),
    close: () => file.close(),
  };
}

const unavailable = (amenityError: string, cause?: unknown): RoomyError =>
  new RoomyError('AMENITIES_UNAVAILABLE', {
    details: { amenityError },
    unsent: true,
    ...(cause === undefined ? {} : { cause }),
  });

/** It said no, so nothing has come of this request. */
const refused = (amenityError: string): RoomyError =>
  new RoomyError('AMENITIES_REFUSED', { details: { amenityError }, unsent: true });

const statements = (query: (text: string) => Query) => ({
  count: query(`INSERT INTO call (device, idem_key, body, calls) VALUES (?, ?, ?, 1)
    ON CONFLICT (device, idem_key) DO UPDATE SET calls = calls + 1 RETURNING body, calls`),
  grant:
    query(`INSERT OR IGNORE INTO access (device, activation_key, reservation_id, provider_id, code, valid_from, valid_until, active)
    VALUES (?, ?, ?, ?, ?, ?, ?, 1)`),
  revoke: query('UPDATE access SET active = 0 WHERE device = ? AND activation_key = ?'),
  change:
    query(`UPDATE access SET valid_from = ?, valid_until = ? WHERE device = ? AND activation_key = ? AND active = 1
    RETURNING provider_id`),
  byKey: query('SELECT * FROM access WHERE device = ? AND activation_key = ?'),
  settle: query('INSERT OR IGNORE INTO settled (device, activation_key) VALUES (?, ?)'),
  isSettled: query('SELECT 1 FROM settled WHERE device = ? AND activation_key = ?'),
  all: query('SELECT * FROM access WHERE device = ? ORDER BY n DESC LIMIT ?'),
});

const grantFrom = (row: Row): DeviceGrant => ({
  providerId: String(row['provider_id']),
  reservationId: String(row['reservation_id']),
  activationKey: String(row['activation_key']),
  from: String(row['valid_from']),
  until: String(row['valid_until']),
  active: row['active'] === 1,
});
