import { Webhook } from 'standardwebhooks';
import type { IncidentView } from '../domain/incidents/resource.ts';
import { summaryOf } from './compose.ts';

/** How an incident is told to a program of the operator's choosing. Nothing in it is of a person. */

export const WEBHOOK_FORMATS = ['json', 'slack', 'pagerduty'] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

export interface IncidentPost {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
export interface PostSettings {
  readonly format: WebhookFormat;
  /** Of `pagerduty` the routing key; of `json` the secret of the signature, `whsec_...`; null: none. */
  readonly key: string | null;
  readonly publicUrl: string;
}
interface Change {
  /** Stable over all attempts. */
  readonly noticeId: number;
  readonly isOver: boolean;
  readonly incident: IncidentView;
}

/** `now`: of the signature. */
export function postOf(change: Change, settings: PostSettings, now: Date): IncidentPost {
  const link = `${settings.publicUrl}/console/incidents/${change.incident.id}`;
  if (settings.format === 'slack') return plain(slackOf(change, link));
  if (settings.format === 'pagerduty') return plain(pagerDutyOf(change, link, settings.key ?? ''));
  const body = JSON.stringify(jsonOf(change, link));
  const id = `incident-notice-${change.noticeId}`;
  return {
    body,
    headers: {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      ...(settings.key === null ? {} : { 'webhook-signature': new Webhook(settings.key).sign(id, now, body) }),
    },
  };
}

const plain = (body: object): IncidentPost => ({ headers: {}, body: JSON.stringify(body) });

function jsonOf({ isOver, incident }: Change, link: string): object {
  const {
    id,
    kind,
    subject,
    area,
    severity,
    summary,
    next,
    remedy,
    count,
    since,
    firstAt,
    lastAt,
    closedAt,
    examples,
  } = incident;
  return {
    type: isOver ? 'incident.closed' : 'incident.opened',
    data: {
      id,
      kind,
      subject,
      area,
      severity,
      summary,
      next,
      remedy,
      count,
      since,
      firstAt,
      lastAt,
      closedAt,
      examples,
      link,
    },
  };
}

/** Incoming webhooks of Slack, and of what understands them. */
const slackOf = ({ isOver, incident }: Change, link: string): object => {
  const head = isOver ? 'Over' : incident.severity === 'CRITICAL' ? 'Critical' : 'Warning';
  const summary = slackText(summaryOf({ what: isOver ? 'CLOSED' : 'OPENED', incident }));
  const lines = [`*${head}*: ${summary}`];
  if (!isOver) lines.push(slackText(incident.next), `*What you can do:* ${slackText(incident.remedy)}`);
  return {
    text: `${head}: ${summary}`,
    blocks: [
      { type: 'section', text: { type: 'mrkdwn', text: lines.join('\n') } },
      { type: 'context', elements: [{ type: 'mrkdwn', text: `<${link}|${incident.kind}> since ${incident.since}` }] },
    ],
  };
};
/** The three characters that Slack wants escaped. */
const slackText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** PagerDuty's Events API v2: one alert for each incident, resolved when it is over. */
const pagerDutyOf = ({ isOver, incident }: Change, link: string, routingKey: string): object => ({
  routing_key: routingKey,
  event_action: isOver ? 'resolve' : 'trigger',
  dedup_key: incident.id,
  ...(isOver
    ? {}
    : {
        payload: {
          summary: incident.summary.slice(0, 1_024),
          source: 'roomy',
          severity: incident.severity === 'CRITICAL' ? 'critical' : 'warning',
          timestamp: incident.firstAt,
          component: incident.subject,
          class: incident.kind,
          custom_details: {
            next: incident.next,
            remedy: incident.remedy,
            count: incident.count,
            since: incident.since,
          },
        },
        links: [{ href: link, text: 'The incident' }],
      }),
});
