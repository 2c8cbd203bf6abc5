import { z } from 'zod';
import { apiUrl } from './gateways/environment.ts';
import { WEBHOOK_FORMATS, type WebhookFormat } from './watchdog/formats.ts';

/** Who is told of incidents beside `OPS_EMAIL`. `config.ts` reads the environment. */

export const INCIDENT_VARIABLES = {
  INCIDENT_WEBHOOK_URL: apiUrl.optional(),
  INCIDENT_WEBHOOK_FORMAT: z.enum(WEBHOOK_FORMATS).default('json'),
  INCIDENT_WEBHOOK_KEY: z.string().min(1).optional(),
  DEAD_MANS_SWITCH_URL: apiUrl.optional(),
};
interface Variables {
  readonly INCIDENT_WEBHOOK_URL?: string | undefined;
  readonly INCIDENT_WEBHOOK_FORMAT: WebhookFormat;
  readonly INCIDENT_WEBHOOK_KEY?: string | undefined;
  readonly DEAD_MANS_SWITCH_URL?: string | undefined;
}

export interface IncidentSettings {
  /** A program that is told of incidents; null: none. */
  readonly incidentWebhook: {
    readonly url: string;
    readonly format: WebhookFormat;
    readonly key: string | null;
  } | null;
  /** What is called every ten seconds while all is well; null: nothing. */
  readonly deadMansSwitchUrl: string | null;
}

/** Of variables without a problem. */
export const incidentSettings = (env: Variables): IncidentSettings => ({
  incidentWebhook:
    env.INCIDENT_WEBHOOK_URL === undefined
      ? null
      : {
          url: env.INCIDENT_WEBHOOK_URL,
          format: env.INCIDENT_WEBHOOK_FORMAT,
          key: env.INCIDENT_WEBHOOK_KEY ?? null,
        },
  deadMansSwitchUrl: env.DEAD_MANS_SWITCH_URL ?? null,
});

/** A program that is told of incidents needs its address, and each format its own kind of key. */
export function incidentProblems(settings: Variables): string[] {
  const { INCIDENT_WEBHOOK_URL: url, INCIDENT_WEBHOOK_FORMAT: format, INCIDENT_WEBHOOK_KEY: key } = settings;
  if (url === undefined)
    return key === undefined && format === 'json' ? [] : ['INCIDENT_WEBHOOK_URL: is required with its format or key'];
  if (format === 'pagerduty' && key === undefined)
    return ['INCIDENT_WEBHOOK_KEY: is required: the routing key of PagerDuty'];
  if (format === 'json' && key !== undefined && !/^whsec_[A-Za-z0-9+/=]{32,}$/.test(key))
    return ['INCIDENT_WEBHOOK_KEY: must be whsec_ and at least 24 bytes in base64'];
  return [];
}
