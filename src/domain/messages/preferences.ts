import type { Db, Tx } from '../../db/client.ts';
import type { Channel, Json, RecipientType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { differences } from '../audit/changes.ts';
import { type Author, recordChange } from '../audit/record.ts';
import { setDigest } from '../people/staff.ts';
import type { NotificationEvent } from './catalogue/index.ts';
import { entryOf, MATRIX, mayDecline } from './matrix-table.ts';

/** Settings switch a message off for everybody; preferences, for one recipient who does not want it. */

export interface MessageSetting {
  readonly event: NotificationEvent;
  readonly recipientType: RecipientType;
  readonly channel: Channel;
  readonly enabled: boolean;
  /** It cannot be switched off: the brief names it. */
  readonly required: boolean;
}

/** The whole matrix, in its own order. */
export async function listMessageSettings(db: Db | Tx): Promise<readonly MessageSetting[]> {
  const rows = await db.selectFrom('message_setting').selectAll().execute();
  const off = new Set(
    rows.filter(({ enabled }) => !enabled).map((row) => `${row.event} ${row.recipient_type} ${row.channel}`),
  );
  return MATRIX.flatMap(({ event, recipientType, channels, isBriefs }) =>
    channels.map((channel) => ({
      event,
      recipientType,
      channel,
      enabled: !off.has(`${event} ${recipientType} ${channel}`),
      required: isBriefs,
    })),
  );
}

export interface SettingChange {
  readonly event: string;
  readonly recipientType: RecipientType;
  readonly channel: Channel;
  readonly enabled: boolean;
}

/** Throws `VALIDATION_FAILED` for what the matrix does not have, and `MESSAGE_REQUIRED`. Holds from the next sending on. */
export async function changeMessageSetting(
  tx: Tx,
  change: SettingChange,
  author: Author,
): Promise<readonly MessageSetting[]> {
  const { event, recipientType, channel, enabled } = change;
  const entry = entryOf(event, recipientType);
  if (!entry?.channels.includes(channel)) {
    const issues = [{ path: 'event', message: 'no such message: GET notification-settings lists them' }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  if (entry.isBriefs && !enabled)
    throw new RoomyError('MESSAGE_REQUIRED', { details: { event, recipientType, channel } });
  const settingOf = (all: readonly MessageSetting[]): Json =>
    all.find((one) => one.event === event && one.recipientType === recipientType && one.channel === channel)?.enabled ??
    null;
  const before = settingOf(await listMessageSettings(tx));
  await tx
    .insertInto('message_setting')
    .values({ event, recipient_type: recipientType, channel, enabled })
    .onConflict((conflict) => conflict.columns(['event', 'recipient_type', 'channel']).doUpdateSet({ enabled }))
    .execute();
  await recordChange(tx, author, {
    noun: 'notification-settings',
    id: `${event}-${recipientType}-${channel}`,
    event: 'NOTIFICATION_SETTING_UPDATED',
    fields: ['enabled'],
    changes: differences({ enabled: before }, { enabled }),
    version: 1,
  });
  return listMessageSettings(tx);
}

export type Party = Exclude<RecipientType, 'OPS'>;
export interface OptOut {
  /** `*`: whatever may be declined. */
  readonly event: string;
  readonly channel: Channel;
}
export interface Preferences {
  readonly optOuts: readonly OptOut[];
  /** Of staff: what was completed comes together, once a day. */
  readonly digest?: boolean | undefined;
}

const TABLES = { GUEST: 'guest', OWNER: 'owner', STAFF: 'staff' } as const;

/** Throws `NOT_FOUND`. */
export async function readPreferences(db: Db | Tx, party: Party, id: string): Promise<Preferences> {
  await assertKnown(db, party, id);
  const digest =
    party === 'STAFF' &&
    (await db.selectFrom('staff').select('digest').where('id', '=', id).executeTakeFirst())?.digest;
  const optOuts = await db
    .selectFrom('message_opt_out')
    .select(['event', 'channel'])
    .where('recipient_type', '=', party)
    .where('recipient_id', '=', id)
    .orderBy('channel')
    .orderBy('event')
    .execute();
  return { optOuts, ...(party === 'STAFF' && { digest: digest === true }) };
}

/** Replaces them. Throws `NOT_FOUND`, `VALIDATION_FAILED` for what there is not, and `MESSAGE_REQUIRED` for what is owed. */
export async function setPreferences(
  tx: Tx,
  party: Party,
  id: string,
  { optOuts, digest }: Preferences,
  author: Author,
): Promise<Preferences> {
  const before = await readPreferences(tx, party, id);
  if (digest !== undefined) {
    if (party !== 'STAFF') {
      const issues = [{ path: 'digest', message: 'is for staff only' }];
      throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
    }
    await setDigest(tx, id, digest);
  }
  for (const [index, { event, channel }] of optOuts.entries()) {
    if (event === '*') continue;
    if (!entryOf(event, party)?.channels.includes(channel)) {
      const issues = [{ path: `optOuts.${index}`, message: 'nobody of this kind gets such a message' }];
      throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
    }
    if (!mayDecline(event, party, channel)) throw new RoomyError('MESSAGE_REQUIRED', { details: { event, channel } });
  }
  await tx.deleteFrom('message_opt_out').where('recipient_type', '=', party).where('recipient_id', '=', id).execute();
  if (optOuts.length > 0) {
    await tx
      .insertInto('message_opt_out')
      .values(optOuts.map(({ event, channel }) => ({ recipient_type: party, recipient_id: id, event, channel })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  const after = await readPreferences(tx, party, id);
  await recordChange(tx, author, {
    noun: TABLES[party],
    id,
    event: 'NOTIFICATION_PREFERENCES_UPDATED',
    fields: ['optOuts', ...(digest === undefined ? [] : ['digest'])],
    changes: differences(jsonOf(before), jsonOf(after)),
    version: 1,
  });
  return after;
}

const jsonOf = ({ optOuts, digest }: Preferences) => ({
  optOuts: optOuts.map(({ event, channel }) => ({ event, channel })),
  ...(digest === undefined ? {} : { digest }),
});

async function assertKnown(db: Db | Tx, party: Party, id: string): Promise<void> {
  const known = await db.selectFrom(TABLES[party]).select('id').where('id', '=', id).executeTakeFirst();
  if (!known) throw new RoomyError('NOT_FOUND');
}
