import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** The served OpenAPI document as an independent validator reads it: ajv, JSON Schema 2020-12, formats asserted. */

export type Json = { readonly [key: string]: unknown };
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const objectAt = (value: unknown, ...path: readonly string[]): Json => {
  let here = value;
  for (const key of path) here = isObject(here) ? here[key] : undefined;
  return isObject(here) ? here : {};
};

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly isWebhook: boolean;
  readonly operation: Json;
}
export interface Contract {
  readonly document: Json;
  readonly operations: readonly Operation[];
  /** Follows a reference inside the document; anything else as it is. */
  resolve(value: unknown): Json;
  /** Null when the value fits; else what is wrong with it. */
  problem(schema: unknown, value: unknown): string | null;
  /** The operation of a request, if the document has it; what has no parameters goes first. */
  operationAt(method: string, pathname: string): Operation | undefined;
  /** Null when such an answer is declared; else why not. */
  problemOfAnswer(operation: Operation, status: number, contentType: string, body: unknown): string | null;
  /** Null when a client finds all that it may read of the headers in the document; else which is not there. */
  problemOfHeaders(operation: Operation, status: number, headers: Headers): string | null;
}

/** Of HTTP and of browsers, which every client knows. */
const EVERYBODYS =
  /^(?:access-control-.*|cache-control|connection|content-.*|cross-origin-.*|referrer-policy|strict-transport-security|vary|x-content-type-options|x-frame-options)$/;

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export function createContract(document: Json): Contract {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addKeyword('x-codes');
  const inDefs = (value: unknown): Json =>
    JSON.parse(JSON.stringify(value).replaceAll('#/components/schemas/', 'roomy#/$defs/'));
  ajv.addSchema({ $id: 'roomy', $defs: inDefs(objectAt(document, 'components', 'schemas')) });
  const compiled = new Map<unknown, ValidateFunction>();

  const operations = (['paths', 'webhooks'] as const).flatMap((part) =>
    Object.entries(objectAt(document, part)).flatMap(([path, item]) =>
      METHODS.filter((method) => isObject(item) && item[method] !== undefined).map((method) => ({
        method,
        path,
        isWebhook: part === 'webhooks',
        operation: objectAt(item, method),
      })),
    ),
  );
  const byVariables = operations
    .filter((operation) => !operation.isWebhook)
    .toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)
    .map((operation) => ({ operation, pattern: new RegExp(`^${operation.path.replaceAll(/\{.+?\}/g, '[^/]+')}$`) }));

  const resolve = (value: unknown): Json => {
    if (!isObject(value)) return {};
    const { $ref } = value;
    if (typeof $ref !== 'string') return value;
    return resolve(
      objectAt(
        document,
        ...$ref
          .slice(2)
          .split('/')
          .map((part) => part.replaceAll('~1', '/')),
      ),
    );
  };
  const problem = (schema: unknown, value: unknown): string | null => {
    let validate = compiled.get(schema);
    if (validate === undefined) {
      validate = ajv.compile(inDefs(schema));
      compiled.set(schema, validate);
    }
    return validate(value) ? null : ajv.errorsText(validate.errors);
  };
  return {
    document,
    operations,
    resolve,
    problem,
    operationAt: (method, pathname) =>
      byVariables.find(({ operation, pattern }) => operation.method === method.toLowerCase() && pattern.test(pathname))
        ?.operation,
    problemOfAnswer: ({ operation }, status, contentType, body) => {
      const responses = objectAt(operation, 'responses');
      if (responses[String(status)] === undefined) return `answers ${status}, which is not declared`;
      const { content: declared, 'x-error-codes': codes } = resolve(responses[String(status)]);
      const content = objectAt(declared);
      const code = isObject(body) ? body['code'] : undefined;
      if (Array.isArray(codes) && !codes.includes(code)) return `refuses with ${String(code)}, which is not declared`;
      const type = contentType.split(';')[0]?.trim() ?? '';
      const media = content[type];
      if (!isObject(media)) return `answers ${status} as ${type}, which is not declared`;
      return media['schema'] === undefined ? null : problem(media['schema'], body);
    },
    problemOfHeaders: ({ operation }, status, headers) => {
      const { headers: named } = resolve(objectAt(operation, 'responses')[String(status)]);
      const declared = Object.keys(objectAt(named)).map((name) => name.toLowerCase());
      const missing = [...headers.keys()].filter((name) => !EVERYBODYS.test(name) && !declared.includes(name));
      return missing.length === 0 ? null : `answers ${status} with ${missing.join(', ')}, not declared`;
    },
  };
}
