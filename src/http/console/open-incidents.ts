import type { z } from '@hono/zod-openapi';
import { Incident } from '../schemas/incidents.ts';
import type { ConsoleApi } from './client.ts';

type OpenIncident = z.output<typeof Incident>;

/** The open incidents that somebody may see; null: incidents are not theirs to see. */
export async function openIncidents(api: ConsoleApi): Promise<readonly OpenIncident[] | null> {
  if (!api.may('GET', '/incidents')) return null;
  return (await api.list('/incidents?status=OPEN&limit=100', Incident)).items;
}
