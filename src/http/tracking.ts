import type { RouteConfig } from '@hono/zod-openapi';
import { policyOf } from './policy.ts';

/**
 * Query parameters that mail programmes, advertising and link checkers add to the links that people follow. The owner who
 * opens the page of a repair from a mail did not write them, and must get the page, not a refusal. So GETs of pages that
 * people open ignore these names and no others: they have no meaning here, and such a page changes nothing. Every other
 * unknown parameter is refused there too, and everywhere else these are refused like any other: providers' webhooks are
 * called at addresses that we give out without a query, and the forms of a page post to addresses of their own.
 */
const PREFIXES = ['utm_', 'mtm_', 'pk_', 'mc_', '_hs', '__hs', 'hsa_', 'mkt_', 'trk_', 'oly_', 'vero_', 'ga_', 'stm_'];
const NAMES: ReadonlySet<string> = new Set([
  'dclid',
  'fbclid',
  'gad_source',
  'gbraid',
  'gclid',
  'igshid',
  'li_fat_id',
  'msclkid',
  'rb_clickid',
  's_cid',
  'sc_cid',
  'ttclid',
  'twclid',
  'wbraid',
  'wickedid',
  'yclid',
  '_ga',
  '_gl',
  '_ke',
  '_openstat',
]);

/** Whether a route is a page (or the calendar behind a link) that people open by an address from elsewhere. */
export type PageForPeople = boolean;

export const isTrackingParameter = (name: string): boolean => {
  const lower = name.toLowerCase();
  return NAMES.has(lower) || PREFIXES.some((prefix) => lower.startsWith(prefix));
};

/** Media types of anonymous GETs for people: pages, and a calendar whose address is pasted into other programmes. */
const FOR_PEOPLE = ['text/html', 'text/calendar'];

export function isPageForPeople(route: RouteConfig): PageForPeople {
  const isAnonymous = policyOf(route.method, route.path.replaceAll(/\{(.+?)\}/g, ':$1')) === 'anonymous';
  return (
    isAnonymous &&
    Object.values(route.responses).some((response) => {
      const types = 'content' in response ? Object.keys(response.content ?? {}) : [];
      return types.some((type) => FOR_PEOPLE.includes(type));
    })
  );
}
