import type { Db } from '../db/client.ts';
import { financeEmails, staysInBrief } from '../domain/incidents/about.ts';
import {
  claimNotices,
  type Notice,
  type NoticeTarget,
  noticesFailed,
  noticesTold,
} from '../domain/incidents/notices.ts';
import { type IncidentView, incidentsById, openIncidents } from '../domain/incidents/resource.ts';
import type { Messenger, SendOutcome } from '../domain/ports.ts';
import type { SagaDefinition } from '../engine/definition.ts';
import { parkedAtCircuit, parkedOfGroup, triedSagas } from '../engine/read/tried.ts';
import { boundedFetch } from '../kernel/bounded-fetch.ts';
import type { Clock } from '../kernel/clock.ts';
import { kindOfError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import { mailOf, type Told } from './compose.ts';
import { type PostSettings, postOf } from './formats.ts';

/** Tells incidents by mail and by webhook, straight from this process: no worker and no queue is needed. */
export interface TellerParts {
  readonly db: Db;
  readonly mail: Messenger;
  readonly opsEmail: string;
  readonly webhook: (PostSettings & { readonly url: string }) | null;
  readonly publicUrl: string;
  readonly timeZone: string;
  /** Of the sagas that incidents are about. */
  readonly definitions: readonly SagaDefinition[];
  readonly clock: Clock;
  readonly log: Logger;
}
export interface Teller {
  /** Who is told of what. */
  readonly targets: readonly NoticeTarget[];
  /** Tells what is due. Never throws for who cannot be reached: it is tried again later. */
  tell(): Promise<void>;
}

const AT_ONCE = 50;
const POST_TIMEOUT_MS = 5_000;
const ANSWER_BYTES = 64 * 1_024;

export function createTeller(parts: TellerParts): Teller {
  const { db, webhook, log } = parts;
  const targets: readonly NoticeTarget[] = ['OPS', 'FINANCE', ...(webhook ? (['WEBHOOK'] as const) : [])];

  async function tellTarget(target: NoticeTarget): Promise<void> {
    const notices = await claimNotices(db, target, AT_ONCE);
    if (notices.length === 0) return;
    const told = await toldOf(db, notices, target);
    const failure = target === 'WEBHOOK' ? await post(told) : await mailTo(target, notices, told);
    const ids = notices.map(({ id }) => id);
    if (failure === null) await noticesTold(db, ids);
    else await noticesFailed(db, ids, failure);
    if (failure !== null) log.warn({ target, reason: failure, notices: ids.length }, 'incidents could not be told');
  }

  /** Null when every address has it, else a code. One mail each, so that nobody sees the others. */
  async function mailTo(target: 'OPS' | 'FINANCE', notices: readonly Notice[], told: readonly NoticeTold[]) {
    if (told.length === 0) return null;
    const addresses = target === 'OPS' ? [parts.opsEmail] : await financeEmails(db);
    const reservations = told.flatMap(({ incident }) =>
      incident.examples.flatMap(({ reservationId }) => reservationId ?? []),
    );
    const stays = await staysInBrief(db, [...new Set(reservations)]);
    const sagas = told.flatMap(({ incident }) => incident.examples.flatMap(({ sagaId }) => sagaId ?? []));
    // The mail goes without what has been tried, when that cannot be read.
    const tried = await triedSagas(db, sagas, parts.definitions).catch(() => new Map<string, never>());
    const mail = mailOf(told, {
      publicUrl: parts.publicUrl,
      timeZone: parts.timeZone,
      stays,
      tried,
      parked: await parkedAfter(db, told).catch(() => new Map<string, never>()),
    });
    const outcomes = await send(
      addresses.map((to, n) => ({
        messageId: `<incident-notice-${notices[0]?.id ?? 0}-${notices.length}-${n}@roomy>`,
        channel: 'EMAIL' as const,
        to,
        ...mail,
      })),
    );
    return outcomes.map(failureOf).find((reason) => reason !== null) ?? null;
  }
  const send = async (messages: Parameters<Messenger['send']>[0]): Promise<readonly SendOutcome[]> =>
    messages.length === 0 ? [] : await parts.mail.send(messages);

  /** One request for each: a program takes them one by one. Stops at the first that is not taken. */
  async function post(told: readonly NoticeTold[]): Promise<string | null> {
    if (webhook === null) return null;
    for (const { noticeId, what, incident } of told) {
      const { body, headers } = postOf({ noticeId, isOver: what === 'CLOSED', incident }, webhook, parts.clock.now());
      const status = await boundedFetch(ANSWER_BYTES)(webhook.url, {
        method: 'POST',
        redirect: 'error',
        headers: { 'content-type': 'application/json', ...headers },
        body,
        signal: AbortSignal.timeout(POST_TIMEOUT_MS),
      }).then(
        (response) => response.status,
        (error: unknown) => kindOfError(error),
      );
      if (typeof status !== 'number') return status;
      if (status < 200 || status >= 300) return `HTTP_${status}`;
    }
    return null;
  }

  return {
    targets,
    tell: async () => {
      for (const target of targets) {
        await tellTarget(target).catch((error: unknown) =>
          log.warn({ target, err: error }, 'incidents could not be told'),
        );
      }
    },
  };
}

/** What is over may have left sagas behind that wait for a person: how many, by incident. */
async function parkedAfter(db: Db, told: readonly Told[]): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { what, incident } of told) {
    if (what !== 'CLOSED') continue;
    if (incident.kind === 'CIRCUIT_OPEN') counts.set(incident.id, await parkedAtCircuit(db, incident.subject));
    if (incident.kind === 'SAGA_RETRYING') counts.set(incident.id, await parkedOfGroup(db, incident.subject));
  }
  return counts;
}

interface NoticeTold extends Told {
  readonly noticeId: number;
}

/** A digest is of everything that is open by now. */
async function toldOf(db: Db, notices: readonly Notice[], target: NoticeTarget): Promise<readonly NoticeTold[]> {
  const ids = notices.flatMap(({ incidentId }) => incidentId ?? []);
  const known = new Map((await incidentsById(db, ids)).map((incident) => [incident.id, incident]));
  const single = notices.flatMap(({ id, incidentId, what }) => {
    const incident = incidentId === null ? undefined : known.get(incidentId);
    return incident ? [{ noticeId: id, what, incident }] : [];
  });
  const digest = notices.find(({ what }) => what === 'DIGEST');
  if (!digest) return single;
  const open: readonly IncidentView[] = await openIncidents(db, target === 'FINANCE' ? 'MONEY' : null);
  const rest = open.filter(({ id }) => !ids.includes(id));
  return [...single, ...rest.map((incident) => ({ noticeId: digest.id, what: 'DIGEST' as const, incident }))];
}

function failureOf(outcome: SendOutcome): string | null {
  return outcome.sent ? null : outcome.reason;
}
