import type { Role } from '../../src/http/auth.ts';
import type { App } from '../../src/http/context.ts';
import { policyOf } from '../../src/http/policy.ts';
import type { QuietSystem } from './system.ts';

/** Every GET of the application with every filter of its query, from the routes that it has registered itself. */

export interface Request {
  /** `GET /api/production/tasks ?status=UNASSIGNED`, with the names of path parameters: the same for every history. */
  readonly name: string;
  readonly path: string;
  /** Who may ask, by the policy of the route; null: everybody, without a token. */
  readonly roles: readonly Role[] | null;
  /** With one filter at the most, and not about one thing that the path names. */
  readonly isList: boolean;
}

/** Values for what a route's path and query ask for, by name; a list is tried one by one. */
export type Values = Readonly<Record<string, readonly string[]>>;

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: { readonly enum?: readonly string[]; readonly type?: string };
}

/** Not measured, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  '/api/production/events/stream': 'does not end; it reads as /events does, and of steps what is open, by keys',
  '/': 'reads nothing',
  '/openapi.json': 'reads nothing',
  '/docs': 'reads nothing',
  '/style.css': 'reads nothing',
  '/docs/{file}': 'reads nothing',
  '/problems': 'reads nothing',
  '/problems/{code}': 'reads nothing',
  '/work': 'a page',
  '/sign-in': 'a page; in development it lists the demo',
  '/sign-in/{token}': 'a page of one link',
  '/invitations/{token}': 'a page of one link',
  '/account': 'a page of one session',
  '/account/second-factor': 'a page of one session',
  '/console': 'leads to the first page of the console',
  '/console/live': 'does not end; it reads as the pages do, and then what is new',
  '/console/files/{file}': 'reads nothing',
  '/console/find': 'a page of one session over the search of the API',
  '/console/today': 'a page of one session over a GET of the API',
  '/console/stays/{id}': 'a page of one session over GETs of the API',
  '/console/sagas': 'a page of one session over the list of the API',
  '/console/sagas/{id}': 'a page of one session over a GET of the API',
  '/console/messages': 'a page of one session over the list of the API',
  '/console/messages/{id}': 'a page of one session over a GET of the API',
  '/console/texts': 'a page of one session over the list of the API',
  '/console/texts/{key}': 'a page of one session over a GET of the API',
  '/console/tasks/{id}': 'a page of one session over GETs of the API',
  '/console/staff': 'a page of one session over the list of the API',
  '/console/staff/{id}': 'a page of one session over GETs of the API',
  '/console/metrics': 'a page of one session over the reports of the API',
  '/console/metrics/{id}': 'a page of one session over a report of the API',
  '/charts/{file}': 'a file of the program',
  '/console/system': 'a page of one session over the living programs, the queues and the due rows',
  '/console/developers': 'a page of one session over lists of the API',
  '/console/developers/requests': 'a page of one session over the list of the API',
  '/console/developers/endpoints/{id}': 'a page of one session over GETs of the API',
  '/console/developers/keys/{id}': 'a page of one session over a GET of the API',
  '/console/incidents': 'a page of one session over the list of the API',
  '/console/incidents/{id}': 'a page of one session over a GET of the API',
  '/owner': 'a page of one session',
  '/oidc/callback': 'a page of one sign-in',
  '/passkeys/{file}': 'reads nothing',
  '/.well-known/jwks.json': 'reads nothing',
  '/work/{file}': 'a page',
  '/health/live': 'reads nothing',
  '/healthz': 'reads nothing',
  '/health/ready': 'reads no table',
  '/readyz': 'reads no table',
};
/** How a page is cut, not what is on it; and what reads everything because that is asked for (`walk.ts` bounds its statements). */
const NOT_FILTERS = new Set(['limit', 'cursor', 'before', 'format', 'zone', 'dryRun', 'full']);

/** The API refuses them together. */
const isExclusive = (one: string, other: string): boolean =>
  [one, other].includes('asOf') && [one, other].some((name) => name === 'from' || name === 'to');

/** Throws for a route or a filter that there is no value for. */
export function requestsOf(app: App, values: Values): readonly Request[] {
  const described = new Map<string, readonly Parameter[]>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type === 'route') described.set(definition.route.path, []);
  }
  const document = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'x', version: '1' } });
  const paths = document.paths ?? {};
  const all: Request[] = [];
  const missing: string[] = [];
  const seen = new Set<string>();
  const valuesOf = (path: string, parameter: Parameter): readonly string[] => {
    const own = values[`${path}?${parameter.name}`] ?? values[parameter.name];
    const found = own ?? parameter.schema.enum ?? (parameter.schema.type === 'boolean' ? ['true', 'false'] : undefined);
    if (!found) missing.push(`${path} ${parameter.in} ${parameter.name}`);
    return found ?? [];
  };
  for (const [path, item] of Object.entries(paths)) {
    const operation = item.get;
    if (!operation || Object.hasOwn(LEFT_OUT, path)) continue;
    const policy = policyOf('GET', path.replaceAll(/\{(\w+)\}/g, ':$1'));
    const roles = policy === 'anonymous' ? null : policy.roles;
    seen.add(path);
    const parameters = (operation.parameters ?? []) as readonly Parameter[];
    const address = (index: number): string =>
      path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
        const found = values[`${path}/${name}`] ?? values[`/${name}`];
        if (!found) missing.push(`${path} path ${name}`);
        return found?.[index % found.length] ?? '';
      });
    const many = Math.max(
      1,
      ...[...path.matchAll(/\{(\w+)\}/g)].map(
        ([, name = '']) => (values[`${path}/${name}`] ?? values[`/${name}`])?.length ?? 1,
      ),
    );
    const filters = parameters.filter((parameter) => parameter.in === 'query' && !NOT_FILTERS.has(parameter.name));
    const required = filters
      .filter((parameter) => parameter.required)
      .map((parameter) => `${parameter.name}=${encodeURIComponent(valuesOf(path, parameter)[0] ?? '')}`);
    for (let index = 0; index < many; index += 1) {
      const at = many === 1 ? '' : ` #${index}`;
      const add = (query: readonly string[]): void => {
        const text = [...new Set([...required, ...query])].join('&');
        all.push({
          name: `GET ${path}${at}${text && ` ?${query.join('&')}`}`,
          path: `${address(index)}${text && `?${text}`}`,
          roles,
          isList: !path.includes('{') && query.length <= 1,
        });
      };
      add([]);
      for (const filter of filters)
        for (const value of valuesOf(path, filter)) add([`${filter.name}=${encodeURIComponent(value)}`]);
      // Two at a time: one value each.
      for (const [place, one] of filters.entries())
        for (const other of filters.slice(place + 1)) {
          if (isExclusive(one.name, other.name)) continue;
          const [a, b] = [valuesOf(path, one).at(-1), valuesOf(path, other).at(-1)];
          if (a !== undefined && b !== undefined)
            add([`${one.name}=${encodeURIComponent(a)}`, `${other.name}=${encodeURIComponent(b)}`]);
        }
    }
  }
  for (const route of app.routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    if (route.method === 'GET' && !seen.has(path) && !Object.hasOwn(LEFT_OUT, path))
      missing.push(`${path} is not described`);
  }
  if (missing.length > 0) throw new Error(`no values for: ${[...new Set(missing)].join(', ')}`);
  return all;
}

/** Who asks. */
export interface Asker {
  readonly role: Role;
  readonly sub: string;
}

/** One request, and the next page of it where there is one. Answers what it refused with, if it did. */
export async function ask(system: QuietSystem, { path }: Request, asker: Asker): Promise<string | null> {
  const answered = await system.call('GET', path, asker);
  if (answered.status >= 400) return `${answered.status} ${answered.text.slice(0, 200)}`;
  const next: unknown = answered.body?.data?.nextCursor ?? answered.body?.nextCursor;
  if (typeof next === 'string') {
    const after = `${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(next)}`;
    const second = await system.call('GET', after, asker);
    if (second.status >= 400) return `next page: ${second.status} ${second.text.slice(0, 200)}`;
  }
  return null;
}
