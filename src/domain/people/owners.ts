import type { Selectable } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { OwnerTable, PayoutTerms } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { parseAnswerable, toMajor } from '../../kernel/money.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';

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

/** The public form of an owner row. */
export const ownerView = (row: Selectable<OwnerTable>) => ({
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

/** Adds an owner, with its audit row. */
export async function createOwner(tx: Tx, owner: NewOwner, author: Author): Promise<OwnerView> {
  const row = await tx
    .insertInto('owner')
    .values({ ...columnsOf(owner), id: owner.id ?? newId('owner'), name: owner.name, email: owner.email })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'owner',
    id: row.id,
    event: 'OWNER_CREATED',
    fields: fieldsOf(owner),
    version: row.version,
  });
  return ownerView(row);
}

/** A page of owners, newest first. */
export async function listOwners(db: Db, page: PageRequest): Promise<Page<OwnerView>> {
  let query = db.selectFrom('owner').selectAll().select(exactInstant('created_at').as('position_at'));
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, ownerView);
}

/** The owner. Throws `NOT_FOUND`. */
export async function getOwner(db: Db, id: string): Promise<OwnerView> {
  const row = await db.selectFrom('owner').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw notFound();
  return ownerView(row);
}

/** Changes an owner of an expected version, with its audit row. Throws `NOT_FOUND`, `PRECONDITION_FAILED`. */
export async function changeOwner(
  tx: Tx,
  id: string,
  change: OwnerChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<OwnerView> {
  const before = await tx.selectFrom('owner').select('version').where('id', '=', id).forUpdate().executeTakeFirst();
  if (!before) throw notFound();
  assertVersion(before.version, expected);
  const row = await tx
    .updateTable('owner')
    .set({ ...columnsOf(change), version: before.version + 1 })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'owner',
    id,
    event: 'OWNER_UPDATED',
    fields: fieldsOf(change),
    version: row.version,
  });
  return ownerView(row);
}

const notFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Owner not found' });

const columnsOf = (fields: OwnerChange) => ({
  name: fields.name,
  email: fields.email,
  phone: fields.phone,
  locale: fields.locale,
  payout_account: fields.payoutAccount,
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
