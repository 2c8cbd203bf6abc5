/** @import { Result } from './model.ts' */

/** The API as the phone uses it. */

/** With the prefix under which the page was found. */
const API = new URL('../api/production', import.meta.url).pathname;
const TOKEN = 'roomy-token';
const WITHIN_MS = 20_000;

export const token = () => localStorage.getItem(TOKEN);
/** @param {string} text */
export const signIn = (text) => localStorage.setItem(TOKEN, text);

export function signOutToken() {
  localStorage.removeItem(TOKEN);
  localStorage.removeItem(BEHIND);
}

/**
 * The subject of the token, which the API has checked.
 *
 * @returns {string}
 */
export function whoAmI() {
  try {
    const [, payload = ''] = (token() ?? '').split('.');
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).sub ?? '';
  } catch {
    return '';
  }
}

/** What this phone's clock is behind that of the service, in milliseconds, as of the last answer. */
const BEHIND = 'roomy-clock-behind';
/** Less is the age of an answer, and of its whole seconds. */
const NOTABLE_MS = 30_000;

/** Now, by the clock of the service: a phone that is fast would report work that lies in the future, which is refused. */
export const now = () => new Date(Date.now() + Number(localStorage.getItem(BEHIND) ?? 0));

/** @param {Headers} headers */
function compareClocks(headers) {
  const there = Date.parse(headers.get('date') ?? '');
  if (token() === null || Number.isNaN(there)) return;
  const behind = there - Date.now();
  localStorage.setItem(BEHIND, String(Math.abs(behind) < NOTABLE_MS ? 0 : behind));
}

/**
 * @param {'GET' | 'POST' | 'PUT'} method
 * @param {string} path below the root of the API
 * @param {{ body?: object, bytes?: Blob, key?: string }} [sent] JSON or bytes, and the idempotency key
 * @returns {Promise<Result>}
 */
export async function call(method, path, { body, bytes, key } = {}) {
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${token()}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (bytes !== undefined) headers['content-type'] = bytes.type;
  if (key !== undefined) headers['idempotency-key'] = key;
  try {
    const response = await fetch(`${API}${path}`, {
      method,
      headers,
      cache: 'no-store',
      signal: AbortSignal.timeout(WITHIN_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(bytes === undefined ? {} : { body: bytes }),
    });
    compareClocks(response.headers);
    return { status: response.status, ok: response.ok, offline: false, answer: await response.json() };
  } catch {
    return { status: 0, ok: false, offline: true, answer: {} };
  }
}

/**
 * The network may come back, or the service: nothing has been decided.
 *
 * @param {Result} result
 */
export const mayPass = ({ status, offline }) => offline || status >= 500 || status === 429;
