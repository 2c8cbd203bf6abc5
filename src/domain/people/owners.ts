import { type Selectable, sql, type UpdateObject } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Database, OwnerTable, PayoutTerms } from '../../db/schema.ts';
import { openColumn, openField, sealField, subjectOf } from '../../db/sealed-fields.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { parseAnswerable, toMajor } from '../../kernel/money.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import { assertNameIsFree } from './free-names.ts';
import { isOwnerOf } from './reach.ts';

export interface OwnerFields {
  readonly name: string;
  readonly email: string;
  readonly phone?: string | null | undefined;
  readonly locale?: string | null | undefined;
  readonly payoutAccount?: string | null | undefined;
  readonly payoutTerms?: PayoutTermsFields | null | undefined;
}
/** How an owner is paid out, where it differs from the terms of the income distribution. */
export interface PayoutTermsFields {
  readonly policy?: string | undefined;
  /** True: nothing is paid out. */
  readonly hold?: boolean | undefined;
  /** Less than this waits for more. */
  readonly minimums?: readonly MajorAmount[] | undefined;
  /** The amount that is kept for the owner's expenses. */
  readonly workingCapital?: readonly MajorAmount[] | undefined;
}
/** Major units, as the caller wrote them. */
export interface MajorAmount {
  readonly currency: string;
  readonly amount: number | string;
}
export type NewOwner = OwnerFields & { readonly id?: string | undefined };
export type OwnerChange = { readonly [K in keyof OwnerFields]?: OwnerFields[K] | undefined };

export type OwnerView = ReturnType<typeof ownerView>;

/** The public form of an owner row whose account is opened. */
const ownerView = (row: Selectable<OwnerTable>) => ({
  id: row.id,
  name: row.name,
  email: row.email,
  phone: row.phone,
  locale: row.locale,
  payoutAccount: row.payout_account,
  payoutTerms: row.payout_terms && payoutTermsView(row.payout_terms),
  version: row.version,
  createdAt: row.created_at.toISOString(),
});

/** Adds an owner, with its audit row. Throws `ALREADY_EXISTS` for the id of anybody. */
export async function createOwner(tx: Tx, owner: NewOwner, author: Author): Promise<OwnerView> {
  if (owner.id !== undefined) await assertNameIsFree(tx, owner.id);
  const id = owner.id ?? newId('owner');
  const row = await tx
    .insertInto('owner')
    .values({ ...(await columnsOf(tx, id, owner)), id, name: owner.name, email: owner.email })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'owner',
    id: row.id,
    event: 'OWNER_CREATED',
    fields: fieldsOf(owner),
    changes: changesOf('owner', null, row),
    version: row.version,
  });
  return viewOf(tx, row);
}

/** A page of owners, newest first; an agent sees those of a portfolio. */
export async function listOwners(db: Db, agentId: string | null, page: PageRequest): Promise<Page<OwnerView>> {
  let query = db
    .selectFrom('owner')
    .selectAll()
    .select(exactInstant('created_at').as('position_at'))
    .where(isOwnerOf(agentId));
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(await opened(db, rows), page.limit, ownerView);
}

/** The owner; with `agentId`, only one of this agent's portfolio. Throws `NOT_FOUND`. */
export async function getOwner(db: Db, id: string, agentId: string | null): Promise<OwnerView> {
  const row = await db
    .selectFrom('owner')
    .selectAll()
    .where('id', '=', id)
    .where(isOwnerOf(agentId))
    .executeTakeFirst();
  if (!row) throw notFound();
  return viewOf(db, row);
}

/** An owner who was changed, and the owner's payout account: `changed` to another than an earlier one, payouts to which wait. */
export type ChangedOwner = { readonly owner: OwnerView } & (
  | { readonly account: 'kept' | 'first' | 'removed' }
  | { readonly account: 'changed'; readonly from: Date }
);

/**
 * Changes the row of an owner of an expected version, with its audit row; what follows from another account is the caller's to do
 * (`stays/change-owner.ts`), payouts to which wait `accountWaitHours`. Throws `NOT_FOUND`, `PRECONDITION_FAILED`.
 */
export async function updateOwner(
  tx: Tx,
  id: string,
  change: OwnerChange,
  expected: ExpectedVersions,
  { accountWaitHours, ...author }: Author & { readonly accountWaitHours: number },
): Promise<ChangedOwner> {
  const before = await tx.selectFrom('owner').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!before) throw notFound();
  assertVersion(before.version, expected);
  const isOther =
    change.payoutAccount !== undefined &&
    change.payoutAccount !== (await openField(tx, 'owner.payout_account', id, before.payout_account));
  // An account that is taken away first, and another one set after that, is a changed account all the same.
  const waits = isOther && (before.payout_account !== null || before.payout_account_from !== null);
  const row = await tx
    .updateTable('owner')
    .set({
      ...(await columnsOf(tx, id, change)),
      ...(waits ? { payout_account_from: sql<Date>`now() + ${accountWaitHours}::int * interval '1 hour'` } : {}),
      ...(isOther ? { payout_account_before: change.payoutAccount === null ? null : IN_FORCE } : {}),
      ...(change.email !== undefined && change.email !== before.email ? FORMER_EMAIL : {}),
      version: before.version + 1,
    })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'owner',
    id,
    event: 'OWNER_UPDATED',
    fields: fieldsOf(change),
    // Sealed anew, the same account is another text.
    changes: changesOf('owner', before, isOther ? row : { ...row, payout_account: before.payout_account }),
    version: row.version,
  });
  const owner = await viewOf(tx, row);
  if (!isOther) return { owner, account: 'kept' };
  if (row.payout_account === null) return { owner, account: 'removed' };
  const { payout_account_from: from } = row;
  return waits && from !== null ? { owner, account: 'changed', from } : { owner, account: 'first' };
}

/** The address of before all changes of the last 30 days: who takes over an account may change the address more than once. */
const FORMER_EMAIL = {
  email_before: sql<string>`CASE WHEN email_changed_at > now() - interval '30 days' THEN email_before ELSE email END`,
  email_changed_at: sql<Date>`now()`,
};

/** The account to which payouts went when another one was set: one that waited itself does not count. */
const IN_FORCE = sql<string>`CASE WHEN payout_account_from > now() THEN payout_account_before ELSE payout_account END`;

/** A second person has approved the changed account: payouts to it need not wait any longer. */
export async function acceptPayoutAccount(tx: Tx, id: string, author: Author): Promise<void> {
  await endAccountWait(tx, id, { payout_account_from: sql<Date>`now()`, payout_account_before: null }, author);
}

/**
 * A second person has refused the changed account: the one that was in force before is again, without a wait. False: there was none,
 * and there is none until one is set, which waits again.
 */
export async function dropPayoutAccount(tx: Tx, id: string, author: Author): Promise<boolean> {
  const values = {
    payout_account: sql<string>`payout_account_before`,
    payout_account_from: sql<Date>`CASE WHEN payout_account_before IS NULL THEN payout_account_from END`,
    payout_account_before: null,
  };
  return (await endAccountWait(tx, id, values, author)) !== null;
}

/** Answers the account that there is then. */
async function endAccountWait(
  tx: Tx,
  id: string,
  values: UpdateObject<Database, 'owner'>,
  author: Author,
): Promise<string | null> {
  const before = await tx.selectFrom('owner').selectAll().where('id', '=', id).forUpdate().executeTakeFirstOrThrow();
  const row = await tx
    .updateTable('owner')
    .set({ ...values, version: before.version + 1 })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'owner',
    id,
    event: 'OWNER_UPDATED',
    fields: ['payoutAccount'],
    changes: changesOf('owner', before, row),
    version: row.version,
  });
  return row.payout_account;
}

const notFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Owner not found' });

const opened = <Row extends Selectable<OwnerTable>>(db: Db | Tx, rows: readonly Row[]): Promise<readonly Row[]> =>
  openColumn(db, 'owner.payout_account', 'payout_account', rows, ({ id }) => id);

async function viewOf(db: Db | Tx, row: Selectable<OwnerTable>): Promise<OwnerView> {
  const [one = row] = await opened(db, [row]);
  return ownerView(one);
}

const columnsOf = async (tx: Tx, id: string, fields: OwnerChange) => ({
  name: fields.name,
  email: fields.email,
  phone: fields.phone,
  locale: fields.locale,
  payout_account:
    fields.payoutAccount &&
    (await sealField(tx, 'owner.payout_account', { row: id, subject: subjectOf('OWNER', id) }, fields.payoutAccount)),
  payout_terms: fields.payoutTerms && JSON.stringify(storedTerms(fields.payoutTerms)),
});

/** Minor units by currency; what is left out stays out. */
const storedTerms = ({ policy, hold, minimums, workingCapital }: PayoutTermsFields): PayoutTerms => ({
  ...(policy === undefined ? {} : { policy }),
  ...(hold === undefined ? {} : { hold }),
  ...(minimums === undefined ? {} : { minimumMinor: minorByCurrency(minimums) }),
  ...(workingCapital === undefined ? {} : { workingCapitalMinor: minorByCurrency(workingCapital) }),
});

const minorByCurrency = (amounts: readonly MajorAmount[]): Readonly<Record<string, number>> =>
  Object.fromEntries(amounts.map(({ currency, amount }) => [currency, parseAnswerable(amount, currency).amountMinor]));

const payoutTermsView = ({ policy, hold, minimumMinor, workingCapitalMinor }: PayoutTerms) => ({
  ...(policy === undefined ? {} : { policy }),
  ...(hold === undefined ? {} : { hold }),
  ...(minimumMinor === undefined ? {} : { minimums: majorAmounts(minimumMinor) }),
  ...(workingCapitalMinor === undefined ? {} : { workingCapital: majorAmounts(workingCapitalMinor) }),
});

const majorAmounts = (byCurrency: Readonly<Record<string, number>>) =>
  Object.entries(byCurrency)
    .map(([currency, amountMinor]) => ({ currency, amount: toMajor({ amountMinor, currency }) }))
    .toSorted((a, b) => (a.currency < b.currency ? -1 : 1));
