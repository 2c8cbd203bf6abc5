import { STATUS_CODES } from 'node:http';
import { systemClock } from '../kernel/clock.ts';
import { CATALOGUE, type ErrorCode } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** Answers to what never becomes a request, in the envelope and with the headers of all others (security.md N14, H1). */

/** By the code of Node's error about a connection. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'PAYLOAD_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
};

interface Broken {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function brokenBy(code: ErrorCode): Broken {
  const requestId = newId('request');
  return {
    status: CATALOGUE[code].status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'X-Request-Id': requestId,
      Connection: 'close',
      ...SECURITY_HEADERS,
    },
    body: JSON.stringify({ success: false, error: CATALOGUE[code].text, code, requestId }),
  };
}

/** For a request of which no address can be made. */
export function answerBroken(code: 'MALFORMED_REQUEST' | 'INTERNAL_ERROR'): Response {
  const { status, headers, body } = brokenBy(code);
  return new Response(body, { status, headers });
}

/** The same as bytes, for a connection on which there is no request at all. */
export function bytesForBroken(nodeCode: string): string {
  const { status, headers, body } = brokenBy(CODES[nodeCode] ?? 'MALFORMED_REQUEST');
  const all = { ...headers, Date: systemClock.now().toUTCString(), 'Content-Length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`;
}
