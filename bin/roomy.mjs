#!/usr/bin/env node
// `roomy listen --to http://localhost:3000/hook`: forwards events to a program on this machine, signed as webhooks are. It needs
// nothing but Node, and no port that anybody could reach.

import { createHmac, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

const HELP = `Usage: ROOMY_API_KEY=rk_... roomy listen --to <address> [options]

Forwards each event to the address as a webhook would be sent, and prints a line for it. After a cut it goes on where it was.

  --to <address>        where events go, such as http://localhost:3000/hook
  --url <address>       of the API; default: ROOMY_URL, else http://localhost:3000
  --type <type>         only these: task.assigned, or task.*
  --reservation <id>    only those of one stay
  --after <place>       begin after this place in the feed; default: now

ROOMY_API_KEY is a key with the scope events:read, or any token that may read events.
ROOMY_WEBHOOK_SECRET (whsec_...) signs; without it a secret is made and printed.`;

/** Nothing but heartbeats comes every 15 seconds: a connection that is silent for longer is dead. */
const SILENT_MS = 45_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const CALL_TIMEOUT_MS = 15_000;

class Stop extends Error {}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const clockTime = () => new Date().toTimeString().slice(0, 8);

/** @returns {{ to: URL, stream: URL, after: string | undefined, key: string, secret: string }} */
function readCommand() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      to: { type: 'string' },
      url: { type: 'string', default: process.env['ROOMY_URL'] ?? 'http://localhost:3000' },
      type: { type: 'string' },
      reservation: { type: 'string' },
      after: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help || positionals[0] !== 'listen' || positionals.length > 1) throw new Stop(HELP);
  if (values.to === undefined || !URL.canParse(values.to) || !/^https?:$/.test(new URL(values.to).protocol))
    throw new Stop('--to must be an address, such as http://localhost:3000/hook');
  if (!URL.canParse(values.url)) throw new Stop('--url must be the address of the API');
  const key = process.env['ROOMY_API_KEY'];
  if (!key) throw new Stop('Set ROOMY_API_KEY to a key with the scope events:read (POST /api/production/api-keys)');
  const stream = new URL(`${values.url.replace(/\/+$/, '')}/api/production/events/stream`);
  if (values.type !== undefined) stream.searchParams.set('type', values.type);
  if (values.reservation !== undefined) stream.searchParams.set('reservationId', values.reservation);
  const given = process.env['ROOMY_WEBHOOK_SECRET'];
  if (given !== undefined && !/^whsec_[A-Za-z0-9+/]+=*$/.test(given))
    throw new Stop('ROOMY_WEBHOOK_SECRET must be like whsec_ and base64');
  const secret = given ?? `whsec_${randomBytes(32).toString('base64')}`;
  if (given === undefined) console.log(`Signing with ${secret}`);
  return { to: new URL(values.to), stream, after: values.after, key, secret };
}

/**
 * Standard Webhooks: the id, the time and the body are signed together.
 *
 * @param {string} secret
 * @param {string} id
 * @param {string} body
 */
function headersFor(secret, id, body) {
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'content-type': 'application/json',
    'user-agent': 'Roomy-Listen',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  };
}

/**
 * Sends one event, and prints what came of it. It is not sent again: who develops wants to see the next one.
 *
 * @param {{ to: URL, secret: string }} command
 * @param {{ seq: number, id: string, type: string, at: string }} event
 */
async function forward({ to, secret }, event) {
  const { type, at, ...data } = event;
  const body = JSON.stringify({ type, timestamp: at, data });
  const began = performance.now();
  let came = '';
  try {
    const answer = await fetch(to, {
      method: 'POST',
      headers: headersFor(secret, event.id, body),
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    await answer.body?.cancel();
    came = String(answer.status);
  } catch (error) {
    came = reasonOf(error);
  }
  console.log(
    `${clockTime()} ${event.seq} ${type} ${event.id} -> ${came} (${Math.round(performance.now() - began)} ms)`,
  );
}

/** @param {unknown} error */
function reasonOf(error) {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}

/**
 * What comes over one connection: events with their places, and places alone, up to which there is nothing more.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} heard
 */
async function* blocksIn(body, heard) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of body) {
    heard();
    text += decoder.decode(part, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n');
      /** @param {string} field */
      const valuesOf = (field) =>
        lines
          .filter((line) => line.startsWith(`${field}:`))
          .map((line) => line.slice(field.length + 1).replace(/^ /, ''));
      const data = valuesOf('data').join('\n');
      yield { place: valuesOf('id').at(-1), event: data === '' ? null : JSON.parse(data) };
    }
  }
}

/**
 * Listens until the connection ends. Answers how long to wait at the least; throws `Stop` for what no waiting mends.
 *
 * @param {ReturnType<typeof readCommand>} command
 * @param {{ last: string | undefined, isNew: boolean }} state
 */
async function listenOnce(command, state) {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(new Error('the stream is silent')), SILENT_MS);
  try {
    const url = new URL(command.stream);
    if (state.last !== undefined) url.searchParams.set('after', state.last);
    const headers = { authorization: `Bearer ${command.key}`, accept: 'text/event-stream' };
    const answer = await fetch(url, { headers, signal: silent.signal });
    if (!answer.ok || answer.body === null) return await refused(answer);
    console.log(`${clockTime()} listening to ${url.origin}, forwarding to ${command.to}`);
    state.isNew = true;
    for await (const { place, event } of blocksIn(answer.body, () => timer.refresh())) {
      if (event !== null) await forward(command, event);
      state.last = place ?? state.last;
      timer.refresh();
    }
    return 0;
  } finally {
    clearTimeout(timer);
  }
}

/** @param {Response} answer */
async function refused(answer) {
  const { error, code } = await answer.json().catch(() => ({}));
  const text = `${error ?? 'The stream was refused'} (${[answer.status, code].filter(Boolean).join(' ')})`;
  if (answer.status !== 429 && answer.status < 500) throw new Stop(text);
  console.log(`${clockTime()} ${text}`);
  return Number(answer.headers.get('retry-after') ?? 0) * 1_000;
}

async function main() {
  const command = readCommand();
  const state = { last: command.after, isNew: false };
  for (let waitMs = FIRST_PAUSE_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS)) {
    const least = await listenOnce(command, state).catch((error) => {
      if (error instanceof Stop) throw error;
      console.log(`${clockTime()} the stream ended: ${reasonOf(error)}`);
      return 0;
    });
    if (state.isNew) waitMs = FIRST_PAUSE_MS;
    state.isNew = false;
    await pause(Math.max(least, waitMs));
  }
}

main().catch((error) => {
  console.error(error instanceof Stop || error instanceof TypeError ? error.message : error);
  process.exitCode = error instanceof Stop && error.message === HELP && process.argv.includes('--help') ? 0 : 1;
});
