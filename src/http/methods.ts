import { endpointName, POLICIES } from './policy.ts';

/** The methods that addresses have, by the table of policies. */

const PATTERNS = Object.keys(POLICIES).map((name) => {
  const [method = '', pattern = ''] = name.split(' ');
  return { method, pattern, matches: new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`) };
});

/** GETs that keep something open or use something up. As a HEAD they would do so for nobody, so they have none (security.md Z15). */
const WITHOUT_HEAD: ReadonlySet<string> = new Set([
  'GET /api/production/events/stream',
  'GET /console/live',
  'GET /oidc/callback',
]);

export const hasHead = (method: string, pattern: string): boolean =>
  method.toUpperCase() === 'GET' && !WITHOUT_HEAD.has(endpointName(method, pattern));

/** The methods that an address supports; none when there is nothing at it. */
export function methodsAt(path: string): string[] {
  const entries = PATTERNS.filter((entry) => entry.matches.test(path));
  return [
    ...new Set(entries.flatMap(({ method, pattern }) => (hasHead(method, pattern) ? [method, 'HEAD'] : [method]))),
  ];
}
