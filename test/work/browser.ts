import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type HttpBindings, serve } from '@hono/node-server';
import axe from 'axe-core';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { inject } from 'vitest';
import { findChromium } from '../../scripts/services/chromium.ts';
import type { App } from '../../src/http/context.ts';

/** A real Chromium that looks like a phone, and a real port that it talks to. */

export interface Phone {
  readonly context: BrowserContext;
  close(): Promise<void>;
}
export const VIEWPORT = { width: 390, height: 844 };

export const openPhone = (colorScheme: 'light' | 'dark' = 'light'): Promise<Phone> =>
  open({ viewport: VIEWPORT, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme });

/** A screen on a desk; its pages may be given another size. */
export const openDesk = (): Promise<Phone> => open({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });

type Screen = Pick<
  NonNullable<Parameters<typeof chromium.launchPersistentContext>[1]>,
  'viewport' | 'deviceScaleFactor' | 'isMobile' | 'hasTouch' | 'colorScheme'
>;

async function open(screen: Screen): Promise<Phone> {
  const { command, env } = inject('chromium') ?? (await findChromium(() => {}));
  const profile = await mkdtemp(path.join(tmpdir(), 'roomy-phone-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: command,
    env: Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
    headless: true,
    ...screen,
    locale: 'en-GB',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  await agreeOnTime(context);
  return {
    context,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const AGREED_MS = 60_000;

/** The library that moves the clock of the tests (`npm run test:machines -- clocks`) does not reach into a browser. */
async function agreeOnTime(context: BrowserContext): Promise<void> {
  const page = context.pages()[0] ?? (await context.newPage());
  const there = await page.evaluate<number>('Date.now()');
  if (Math.abs(there - Date.now()) > AGREED_MS) await context.clock.install({ time: Date.now() });
}

/** Problems of a page for people with disabilities, by axe; none is expected. */
export async function violations(page: Page): Promise<string[]> {
  // Evaluated by the browser's own debugger: the page's policy lets no foreign script in.
  await page.evaluate(axe.source);
  return page.evaluate<string[]>(`(async () => {
    const { violations } = await axe.run(document);
    return violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html).join(' '));
  })()`);
}

export interface Served {
  readonly url: string;
  /** The next answer to such a request is lost on its way, after the API has done its work. Counts what came. */
  loseAnswerTo(pathEnd: string): { readonly came: () => number };
  close(): Promise<void>;
}

/** On a free port of this machine: a service worker needs a real origin. */
export function serveApp(app: Pick<App, 'fetch'>): Promise<Served> {
  return new Promise((resolve) => {
    let losing: { pathEnd: string; came: number } | null = null;
    const fetch = async (request: Request, env: HttpBindings): Promise<Response> => {
      const answer = await app.fetch(request, env);
      if (losing !== null && new URL(request.url).pathname.endsWith(losing.pathEnd)) {
        losing.came += 1;
        if (losing.came === 1) env.incoming.socket.destroy();
      }
      return answer;
    };
    const server = serve(
      { fetch: (request, env) => fetch(request, env as HttpBindings), port: 0, hostname: '127.0.0.1' },
      (address) => {
        resolve({
          loseAnswerTo: (pathEnd) => {
            const watched = { pathEnd, came: 0 };
            losing = watched;
            return { came: () => watched.came };
          },
          url: `http://127.0.0.1:${(address as AddressInfo).port}`,
          close: () =>
            new Promise((closed) => {
              server.close(() => closed());
              if ('closeAllConnections' in server) server.closeAllConnections();
            }),
        });
      },
    );
  });
}
