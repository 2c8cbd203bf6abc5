import { RoomyError } from '../kernel/errors.ts';
import { type AskedPeriod, isBareDate, isReversed, type Period, resolveAsOf, resolvePeriod } from '../kernel/period.ts';
import type { AnyContext, Services } from './context.ts';
import { isSeenBy } from './named.ts';

/**
 * The instants at which a period of this request begins and ends (`kernel/period.ts`): days are those of the property that the
 * request names, by itself or by its stay; else of its `zone`; else of the agency. A property that the caller may not see
 * counts as none: an answer with its days would reveal that it exists, and where.
 */
export interface PeriodQuery extends AskedPeriod {
  readonly asOf?: string | undefined;
  readonly zone?: string | undefined;
  readonly propertyId?: string | undefined;
  readonly reservationId?: string | undefined;
}

/**
 * Throws `VALIDATION_FAILED` when `from` is after `to`, or, with `empty: 'refused'`, not before it, and for a moment beside a
 * period: what stood at `asOf` and what was moved between `from` and `to` are two questions.
 */
export async function periodOf(
  c: AnyContext,
  services: Services,
  asked: PeriodQuery,
  empty: 'allowed' | 'refused' = 'allowed',
): Promise<Period & { readonly asOf?: string }> {
  if (asked.asOf !== undefined && (asked.from !== undefined || asked.to !== undefined)) {
    throw wrong('asOf', 'cannot be asked together with from and to: send a moment, or a period');
  }
  const zone = await zoneOf(c, services, asked);
  const period = known(() => resolvePeriod(asked, zone));
  const isEmpty = period.from !== undefined && period.from === period.to;
  if (isReversed(asked, period)) throw wrong('to', 'must not be before from');
  if (empty === 'refused' && isEmpty) throw wrong('to', 'must be after from');
  const { asOf } = asked;
  return { ...period, ...(asOf === undefined ? {} : { asOf: known(() => resolveAsOf(asOf, zone)) }) };
}

const DAY_MS = 24 * 60 * 60_000;
const DEFAULT_DAYS = 30;

/** The period of a report: what is not said is the last 30 days before its end, and its end is now. Throws as `periodOf`, and when it begins after now. */
export async function reportPeriodOf(
  c: AnyContext,
  services: Services,
  asked: PeriodQuery,
): Promise<{ readonly from: string; readonly to: string }> {
  const { from, to } = await periodOf(c, services, asked);
  const end = to === undefined ? services.clock.now() : new Date(to);
  const begin = from === undefined ? new Date(end.getTime() - DEFAULT_DAYS * DAY_MS) : new Date(from);
  if (begin > end) throw wrong('from', 'must not be after now, where `to` is not given');
  return { from: begin.toISOString(), to: end.toISOString() };
}

/** The query with instants for its ends and without its zone: what a list filters by, and what its cursors are sealed with. */
export async function withPeriod<Query extends PeriodQuery>(
  c: AnyContext,
  services: Services,
  query: Query,
): Promise<Omit<Query, 'zone'>> {
  const { zone: _zone, ...rest } = query;
  return { ...rest, ...(await periodOf(c, services, query)) };
}

/** For what lies on days of its own property: dates stay dates, to be compared with those. */
export async function withDays<Query extends PeriodQuery>(
  c: AnyContext,
  services: Services,
  query: Query,
): Promise<Query> {
  const period = await periodOf(c, services, query);
  return {
    ...query,
    ...(query.from === undefined || isBareDate(query.from) ? {} : { from: period.from }),
    ...(query.to === undefined || isBareDate(query.to) ? {} : { to: period.to }),
  };
}

/** The zone whose days a request means. */
async function zoneOf(c: AnyContext, services: Services, asked: PeriodQuery): Promise<string> {
  const { from, to, asOf, zone } = asked;
  return [from, to, asOf].some(isBareDate) ? namedZoneOf(c, services, asked) : (zone ?? services.agencyTimeZone);
}

/** The zone of the property that the request names, by itself or by its stay; else of its `zone`; else of the agency. */
export async function namedZoneOf(
  c: AnyContext,
  { db, agencyTimeZone }: Services,
  { zone, propertyId, reservationId }: PeriodQuery,
): Promise<string> {
  const property = propertyId !== undefined || reservationId !== undefined;
  const named = property
    ? await db
        .selectFrom('property')
        .select('time_zone')
        .where('id', '=', (eb) =>
          propertyId === undefined
            ? eb
                .selectFrom('reservation')
                .select('property_id')
                .where('id', '=', reservationId ?? '')
            : eb.val(propertyId),
        )
        .where(isSeenBy(c))
        .executeTakeFirst()
    : undefined;
  return named?.time_zone ?? zone ?? agencyTimeZone;
}

/** The schemas know most of what is no moment; what they let through is the caller's mistake all the same. */
function known<T>(resolve: () => T): T {
  try {
    return resolve();
  } catch (error) {
    if (error instanceof RangeError) throw wrong('from', 'must be an instant or a date');
    throw error;
  }
}

const wrong = (path: string, message: string): RoomyError =>
  new RoomyError('VALIDATION_FAILED', { details: { issues: [{ path, message }] } });
