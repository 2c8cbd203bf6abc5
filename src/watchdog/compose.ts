import type { IncidentExample } from '../db/schema.ts';
import type { StayInBrief } from '../domain/incidents/about.ts';
import type { NoticeKind } from '../domain/incidents/notices.ts';
import type { IncidentView } from '../domain/incidents/resource.ts';
import { contentOf, documentOf, escapeHtml, frameFor } from '../domain/messages/mail-frame.ts';
import type { OutgoingMessage } from '../domain/ports.ts';
import type { Tried } from '../engine/read/tried.ts';
import { localMinute } from '../kernel/local-minute.ts';

/** The words in which incidents are told: what, to whom, since when, what was tried, what comes by itself, what a person can do. */

export interface Told {
  readonly what: NoticeKind;
  readonly incident: IncidentView;
}
export interface Wording {
  /** Of the API. */
  readonly publicUrl: string;
  readonly timeZone: string;
  readonly stays: ReadonlyMap<string, StayInBrief>;
  /** By saga. */
  readonly tried: ReadonlyMap<string, Tried>;
  /** By incident that is over: how many sagas stopped at it, and wait for a person. */
  readonly parked: ReadonlyMap<string, number>;
}
export interface IncidentMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly parts: NonNullable<OutgoingMessage['parts']>;
}

const MAX_IN_FULL = 10;
/** It has a heading for each kind. */
const RUNBOOK = 'docs/runbook.md';

/** One mail for all that is told at once. */
export function mailOf(all: readonly Told[], wording: Wording): IncidentMail {
  const subject = subjectOf(all);
  const shown = all.slice(0, MAX_IN_FULL).map((told) => paragraphsOf(told, wording));
  const more = all.length - shown.length;
  const text = [
    ...shown,
    ...(more > 0 ? [`And ${more} more: ${wording.publicUrl}/console/incidents`] : []),
    'You get this mail because your address is that of operations or of somebody who looks after the money.',
  ].join('\n\n');
  const content = contentOf(escapeHtml(text)).replaceAll(/https?:\/\/[^\s<]+/g, (url) => `<a href="${url}">${url}</a>`);
  const frame = frameFor('en');
  const html = documentOf(frame, { locale: 'en', content }, subject);
  return { subject, text, html, parts: { frame: frame.id, locale: 'en', content } };
}

function subjectOf(all: readonly Told[]): string {
  const [first] = all;
  if (first && all.length === 1) return `${headOf(first)}: ${summaryOf(first)}`.slice(0, 200);
  const open = all.filter(({ what }) => what !== 'CLOSED').length;
  if (first?.what === 'DIGEST') return `Still open: ${open} ${open === 1 ? 'incident' : 'incidents'}`;
  const over = all.length - open;
  const begun = open > 0 ? [open === 1 ? 'one new incident' : `${open} new incidents`] : [];
  const ended = over > 0 ? [over === 1 ? 'one is over' : `${over} are over`] : [];
  const isCritical = all.some(({ what, incident }) => what === 'OPENED' && incident.severity === 'CRITICAL');
  const kinds = [...new Set(all.map(({ incident }) => incident.kind))].join(', ');
  const head = open === 0 ? 'Over' : isCritical ? 'Critical' : 'Warning';
  return `${head}: ${[...begun, ...ended].join(', ')} (${kinds})`.slice(0, 200);
}
const headOf = ({ what, incident }: Told): string => {
  if (what === 'CLOSED') return 'Over';
  if (what === 'DIGEST') return 'Still open';
  return incident.severity === 'CRITICAL' ? 'Critical' : 'Warning';
};

/** The sentence of what has happened must not read as if it were so still; what a person has closed may be. */
export function summaryOf({ what, incident }: Told): string {
  if (what !== 'CLOSED') return incident.summary;
  return incident.closedBy === null
    ? `this is no longer so: ${incident.summary}`
    : `closed by ${incident.closedBy}, who sees to it: ${incident.summary}`;
}

/** Paragraphs of plain text, with empty lines between them; lines of facts as the frame knows them. */
function paragraphsOf(told: Told, wording: Wording): string {
  const { what, incident } = told;
  const facts = [
    `Kind: ${incident.kind}`,
    `Since: ${localMinute(incident.since, wording.timeZone)}`,
    `Runbook: ${RUNBOOK}, ${incident.kind}`,
    ...(what === 'CLOSED' ? [`Until: ${localMinute(incident.closedAt ?? incident.lastAt, wording.timeZone)}`] : []),
  ].join('\n');
  const examples = incident.examples.map((example) => `- ${exampleLine(example, wording)}`).join('\n');
  const rest = incident.count - incident.examples.length;
  const about =
    examples === '' || what === 'CLOSED' ? [] : [`It is about:\n${examples}${rest > 0 ? `\n- and ${rest} more` : ''}`];
  const link = `${wording.publicUrl}/console/incidents/${incident.id}`;
  return [
    `${headOf(told)}: ${summaryOf(told)}`,
    facts,
    ...about,
    ...(what === 'CLOSED'
      ? [
          incident.closedBy === null
            ? 'It was over by itself.'
            : `Closed by ${incident.closedBy}: ${incident.reason ?? ''}`,
          ...leftBehind(told, wording),
        ]
      : [`What happens by itself: ${incident.next}`, `What you can do: ${incident.remedy}`]),
    link,
  ].join('\n\n');
}

function leftBehind({ incident }: Told, { parked, publicUrl }: Wording): readonly string[] {
  const count = parked.get(incident.id) ?? 0;
  if (count === 0) return [];
  const sagas = count === 1 ? 'One saga stopped at it and waits' : `${count} sagas stopped at it and wait`;
  return [`${sagas} for a person now: ${publicUrl}/console/sagas?status=parked`];
}

/** Ends with the page on which this one is mended, if it has one. */
function exampleLine(example: IncidentExample, { stays, tried, timeZone, publicUrl }: Wording): string {
  const stay = example.reservationId === undefined ? undefined : stays.get(example.reservationId);
  const { sagaId, reservationId } = example;
  const { system = null, nextBy = null } = (sagaId === undefined ? undefined : tried.get(sagaId)) ?? {};
  const page = sagaId === undefined ? stayPage(reservationId) : `sagas/${encodeURIComponent(sagaId)}`;
  return [
    ...(stay ? [`${stay.property}, guest ${stay.initials}, ${stay.arrival} to ${stay.departure}`] : []),
    example.id,
    ...(example.since === undefined ? [] : [`since ${localMinute(example.since, timeZone)}`]),
    ...(example.attempts === undefined
      ? []
      : [`tried ${example.attempts} ${example.attempts === 1 ? 'time' : 'times'}`]),
    ...(example.code === undefined ? [] : [`last answer ${example.code}`]),
    ...(system === null ? [] : [`at ${system}`]),
    ...(nextBy === null ? [] : [`tried again by ${localMinute(nextBy.toISOString(), timeZone)}`]),
    ...(page === null ? [] : [`${publicUrl}/console/${page}`]),
  ].join('; ');
}
const stayPage = (id: string | undefined): string | null =>
  id === undefined ? null : `stays/${encodeURIComponent(id)}`;
