import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

/** A real identity provider on this machine. Whoever comes is signed in there as `person`, without a page. */

export interface Person {
  readonly sub: string;
  readonly email?: string;
  readonly emailVerified?: unknown;
  readonly amr?: readonly string[];
}
export interface RunningProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Who sits before the browser there. */
  person: Person;
  /** How many codes have been sent to be changed into tokens. */
  readonly redeemed: () => number;
  /**
   * Follows the browser from the first address until it is sent back to us; answers that address, of which nothing has been
   * opened. A new browser every time.
   */
  visit(address: string): Promise<string>;
  close(): Promise<void>;
}

export async function startIdentityProvider(redirectUri: string): Promise<RunningProvider> {
  let redeemed = 0;
  const people = new Map<string, Person>();
  const client = { clientId: 'roomy', clientSecret: 'a-secret-of-the-client-0123456789' };
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    cookies: { keys: ['a-key-of-the-tests'] },
    claims: { openid: ['sub', 'amr'], email: ['email', 'email_verified'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: () => '/interaction' },
    pkce: { required: () => true },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => {
        const { sub, email, emailVerified = true } = people.get(id) ?? { sub: id };
        return email === undefined ? { sub } : { sub, email, email_verified: emailVerified };
      },
    }),
    // Nobody is asked whether they agree.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({ accountId: oidc.session?.accountId, clientId: oidc.client?.clientId });
      grant.addOIDCScope('openid email');
      await grant.save();
      return grant;
    },
  });
  const serve = provider.callback();
  const running: RunningProvider = {
    issuer,
    ...client,
    person: { sub: 'nobody' },
    redeemed: () => redeemed,
    visit: (address) => visit(address, redirectUri),
    close: () => closed(server),
  };
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/token')) redeemed += 1;
    const { person } = running;
    const answered = request.url?.startsWith('/interaction')
      ? provider.interactionFinished(request, response, loginOf(person), { mergeWithLastSubmission: false })
      : serve(request, response);
    if (request.url?.startsWith('/interaction')) people.set(person.sub, person);
    answered.catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  return running;
}

const loginOf = ({ sub, amr }: Person) => ({
  login: { accountId: sub, ...(amr === undefined ? {} : { amr: [...amr] }) },
});

const MAX_STEPS = 10;

async function visit(address: string, redirectUri: string): Promise<string> {
  const jar = new Map<string, string>();
  let next = address;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(next, { redirect: 'manual', headers: cookie === '' ? {} : { cookie } });
    await answer.body?.cancel();
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', ...value] = (line.split(';')[0] ?? '').split('=');
      jar.set(name, value.join('='));
    }
    const location = answer.headers.get('location');
    if (location === null) throw new Error(`the provider answered ${answer.status} at ${next}`);
    next = new URL(location, next).href;
    if (next.startsWith(redirectUri)) return next;
  }
  throw new Error('the provider sends the browser in circles');
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
