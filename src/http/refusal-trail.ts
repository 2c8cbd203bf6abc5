import { type Origin, recordAudit } from '../domain/audit/record.ts';
import { RoomyError } from '../kernel/errors.ts';
import { networkOf } from '../kernel/rate-limits.ts';
import { type AnyContext, type AppDeps, originOf } from './context.ts';

/**
 * Refusals in the audit trail (SEC-5): the first of its kind at once, and of those that follow it one row a minute, with their
 * number. Somebody who tries everything for twenty minutes leaves some dozens of rows and not thousands.
 */
export interface RefusalTrail {
  /** Notes what is a matter of rights or limits, and nothing else. Never rejects: a refusal stands in any case. */
  note(c: AnyContext, error: unknown): Promise<void>;
}

const WINDOW_MS = 60_000;
/** Kinds of refusals that are told apart at a time; those beyond are one. */
const MAX_KINDS = 500;
/** Named in a row. */
const MAX_ENDPOINTS = 20;

interface Refusal {
  readonly event: 'ACCESS_DENIED' | 'AUTHENTICATION_FAILED' | 'RATE_LIMITED';
  /** The caller, or the address of one that is not known. */
  readonly who: string;
  readonly actor: string;
  /** The permission, the limit, or why a token does not count. */
  readonly about: Readonly<Record<string, string>>;
}
interface Kind extends Refusal {
  readonly ip: string | null;
  /** Of all that were counted; null where they had several, or none. */
  credential: string | null;
  readonly sinceMs: number;
  repeats: number;
  readonly endpoints: Set<string>;
}

export function createRefusalTrail({ db, log, clock, closing }: AppDeps): RefusalTrail {
  const kinds = new Map<string, Kind>();
  let isPlanned = false;

  const write = async (
    { event, who, actor, about }: Refusal,
    origin: Origin,
    details: Readonly<Record<string, string | number | string[]>>,
  ): Promise<void> => {
    try {
      const body = { outcome: 'denied', details: { ...about, ...details } };
      await recordAudit(db, { streamId: `denied:${who}`, event, actor, ...origin, body });
    } catch (error) {
      log.warn({ err: error, requestId: origin.requestId }, 'denial not audited');
    }
  };
  const writeSum = async (kind: Kind): Promise<void> => {
    if (kind.repeats === 0) return;
    const from = new Date(kind.sinceMs).toISOString();
    await write(
      kind,
      { requestId: null, ip: kind.ip, credential: kind.credential },
      { count: kind.repeats, from, endpoints: [...kind.endpoints].toSorted() },
    );
  };
  const closeUntil = async (ms: number): Promise<void> => {
    for (const [key, kind] of kinds) {
      if (kind.sinceMs > ms) continue;
      kinds.delete(key);
      await writeSum(kind);
    }
  };
  const plan = (): void => {
    if (isPlanned) return;
    isPlanned = true;
    const look = async (): Promise<void> => {
      isPlanned = false;
      await closeUntil(clock.now().getTime() - WINDOW_MS);
      if (kinds.size > 0) plan();
    };
    setTimeout(() => void look(), WINDOW_MS).unref();
  };
  // What has been counted so far is written while the last requests end.
  closing?.addEventListener('abort', () => void closeUntil(Number.POSITIVE_INFINITY), { once: true });

  return {
    async note(c, error) {
      const refusal = refusalIn(c, error);
      if (refusal === null) return;
      const nowMs = clock.now().getTime();
      const named = [refusal.event, refusal.who, ...Object.values(refusal.about)].join(' ');
      const key = kinds.size < MAX_KINDS || kinds.has(named) ? named : `${refusal.event} others`;
      const origin = originOf(c);
      const { ip = null, credential = null } = origin;
      const known = kinds.get(key);
      if (known !== undefined && nowMs < known.sinceMs + WINDOW_MS) {
        known.repeats += 1;
        if (known.credential !== credential) known.credential = null;
        if (known.endpoints.size < MAX_ENDPOINTS) known.endpoints.add(endpointOf(c));
        return;
      }
      // Of a series that goes on, each minute is one row. Set before anything is awaited: what comes meanwhile is counted.
      const goesOn = known !== undefined && known.repeats > 0;
      const endpoints = new Set(goesOn ? [endpointOf(c)] : []);
      kinds.set(key, { ...refusal, ip, credential, sinceMs: nowMs, repeats: endpoints.size, endpoints });
      plan();
      if (goesOn) await writeSum(known);
      else await write(refusal, origin, { method: c.req.method, route: c.get('route') ?? '' });
    },
  };
}

const endpointOf = (c: AnyContext): string => `${c.req.method} ${c.get('route') ?? ''}`;

function refusalIn(c: AnyContext, error: unknown): Refusal | null {
  if (!(error instanceof RoomyError)) return null;
  const principal = c.get('caller')?.principal;
  const of = { who: principal ?? `address:${networkOf(c.get('ip'))}`, actor: principal ?? 'system:guard' };
  const { details, cause } = error;
  const textOf = (name: string): string => (typeof details?.[name] === 'string' ? details[name] : '');
  switch (error.code) {
    case 'FORBIDDEN':
      return { ...of, event: 'ACCESS_DENIED', about: { permission: textOf('permission') } };
    case 'RATE_LIMITED':
      return { ...of, event: 'RATE_LIMITED', about: { limit: textOf('limit') } };
    case 'UNAUTHENTICATED':
      // Nobody has tried anything: a page that was opened without a sign-in.
      if (typeof cause !== 'string' || cause === 'no_token') return null;
      return { ...of, event: 'AUTHENTICATION_FAILED', about: { reason: cause } };
    default:
      return null;
  }
}
