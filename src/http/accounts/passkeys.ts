import { createRoute, z } from '@hono/zod-openapi';
import type { Tx } from '../../db/client.ts';
import { type Author, recordAudit } from '../../domain/audit/record.ts';
import { lockAccount } from '../../domain/people/accounts.ts';
import { noteSessions } from '../../domain/people/administer.ts';
import { assertMayChangeFactors } from '../../domain/people/factors.ts';
import { consumeOneTime, issueOneTime } from '../../domain/people/one-time.ts';
import {
  addPasskey,
  findPasskey,
  listPasskeys,
  type PasskeyRow,
  removePasskey,
  renamePasskey,
  takePasskeyUse,
} from '../../domain/people/passkeys.ts';
import { markSecondFactor } from '../../domain/people/sessions.ts';
import { readStanding } from '../../domain/people/standing.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { PASSKEY_FILES } from '../../web/files.ts';
import { createdFixed, found } from '../answers.ts';
import { ASK_FIRST, cachedText } from '../cached.ts';
import { type AnyContext, inTransaction, originOf, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { answer, bodyRefusals, jsonOf, one, refusals } from '../schemas/envelope.ts';
import { enter, type Proof } from './begin-session.ts';
import { formOf } from './form.ts';
import { ownAuthor, ownSession, whenOwn } from './own-session.ts';
import { assertFromOwnPage, keepSession, sessionOf } from './page-session.ts';
import { hasWayBack, nextPageOf } from './way-back.ts';
import {
  CHALLENGE_SECONDS,
  CredentialParam,
  challengeOf,
  creationOptions,
  NewCredential,
  notTheirs,
  PasskeyName,
  relyingPartyOf,
  requestOptions,
  UsedCredential,
  verifyNew,
  verifyUse,
} from './webauthn.ts';

/**
 * Passkeys: a sign-in without an address or a link, and what a person does with their own on the account page. A challenge
 * counts once, also when its answer is wrong, and a passkey that has seen its holder is two factors (security.md S5).
 */

const Options = z.record(z.string(), z.unknown());
const Nothing = z.strictObject({});
const options = (path: '/passkeys/options' | '/account/passkeys/options', summary: string) =>
  createRoute({
    method: 'post',
    path,
    hide: true,
    summary,
    request: { body: jsonOf(Nothing) },
    responses: {
      200: answer('What the browser asks for', one(Options)),
      ...bodyRefusals('CROSS_SITE', 'STEP_UP_REQUIRED'),
    },
  });
const signInOptions = options('/passkeys/options', 'A challenge for a sign-in by passkey');
const addOptions = options('/account/passkeys/options', 'A challenge for a new passkey');
const signIn = createRoute({
  method: 'post',
  path: '/passkeys/sign-in',
  hide: true,
  summary: 'Sign in by passkey, or give one as the second factor of this session',
  request: { body: jsonOf(UsedCredential) },
  responses: {
    200: answer('Signed in', one(z.object({ next: z.string() }))),
    ...bodyRefusals('CROSS_SITE'),
  },
});
const add = createRoute({
  method: 'post',
  path: '/account/passkeys',
  hide: true,
  summary: 'Add a passkey to my account',
  request: { body: jsonOf(NewCredential) },
  responses: {
    201: answer('Added', one(z.object({ id: z.string(), name: z.string() }).loose())),
    ...bodyRefusals('CROSS_SITE', 'STEP_UP_REQUIRED', 'ALREADY_EXISTS', 'INVALID_STATE_TRANSITION'),
  },
});
const form = (path: '/account/passkeys/{id}/name' | '/account/passkeys/{id}/removal', summary: string) =>
  createRoute({
    method: 'post',
    path,
    hide: true,
    summary,
    request: { params: CredentialParam },
    responses: {
      303: { description: 'Done: `Location` is the account page' },
      ...refusals('NOT_FOUND', 'CROSS_SITE', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'),
    },
  });
const rename = form('/account/passkeys/{id}/name', 'Give a passkey another name');
const remove = form('/account/passkeys/{id}/removal', 'Remove a passkey');
const script = createRoute({
  method: 'get',
  path: '/passkeys/{file}',
  hide: true,
  request: { params: z.strictObject({ file: z.string().max(50) }) },
  responses: { 200: { description: 'A script', content: { 'text/javascript': { schema: z.string() } } } },
});

export function registerPasskeys(register: Register, services: Services): void {
  registerSignIn(register, services);
  registerOwn(register, services);
  const files = new Map([...PASSKEY_FILES].map(([name, { type, read }]) => [name, cachedText(type, read, ASK_FIRST)]));
  register(script, (c) => {
    const file = files.get(c.req.valid('param').file);
    if (file === undefined) throw new RoomyError('ROUTE_NOT_FOUND');
    c.header('X-Content-Type-Options', 'nosniff');
    return file.answer(c);
  });
}

function registerSignIn(register: Register, services: Services): void {
  const { db, publicUrl } = services;
  const party = relyingPartyOf(publicUrl);
  register.unkeyed(signInOptions, async (c) => {
    assertFromOwnPage(c, services);
    return found(c, await requestOptions(party, await issueChallenge(services, null)));
  });
  register.unkeyed(signIn, async (c) => {
    assertFromOwnPage(c, services);
    const used = c.req.valid('json');
    const challenge = await consumedChallenge(services, used.clientDataJSON, null);
    const passkey = await findPasskey(db, used.id);
    if (passkey === undefined) throw notTheirs('unknown_credential');
    const counter = await verifyUse(party, challenge, passkey, used);
    return found(c, { next: await enterBy(c, services, passkey, counter) });
  });
}

/**
 * Opens a session, or gives the second factor in the one that this browser has of the same account. Answers the page that
 * comes next. Throws `UNAUTHENTICATED`.
 */
async function enterBy(c: AnyContext, services: Services, passkey: PasskeyRow, counter: number): Promise<string> {
  const present = await sessionOf(c, services);
  const entered = await inTransaction(services, async (tx) => {
    const account = await lockAccount(tx, passkey.account_id);
    if (!(await readStanding(tx, account.principal, null))?.isActive) throw notTheirs('account_inactive');
    const author: Author = { actor: account.principal, ...originOf(c, present && `session:${present.id}`) };
    if (!(await takePasskeyUse(tx, passkey.id, counter))) {
      await noteRefusal(tx, author, passkey);
      return null;
    }
    const proof: Proof = { account, method: 'PASSKEY', mfaAt: services.clock.now() };
    if (present?.account.id !== account.id) return { proof, opened: await enter(tx, c, services, proof) };
    await markSecondFactor(tx, present.id);
    await noteSessions(tx, author, account.id, 'SECOND_FACTOR_GIVEN', { session: present.id, by: 'PASSKEY' });
    return { proof, opened: null };
  });
  if (entered === null) throw notTheirs('counter');
  services.standing.changed(entered.proof.account.principal);
  if (entered.opened !== null) keepSession(c, services, entered.opened);
  else if (!hasWayBack(c)) return '/account';
  return nextPageOf(c, services, entered.proof.account);
}

/** The counter has not gone up: there may be a copy of the authenticator. It stays in the trail, where somebody looks for it. */
const noteRefusal = (tx: Tx, author: Author, { id, account_id: accountId }: PasskeyRow): Promise<void> =>
  recordAudit(tx, {
    streamId: `account:${accountId}`,
    event: 'PASSKEY_REFUSED',
    ...author,
    body: { outcome: 'denied', details: { id: accountId, passkeyId: id, reason: 'COUNTER' } },
  });

function registerOwn(register: Register, services: Services): void {
  const { db, publicUrl } = services;
  const party = relyingPartyOf(publicUrl);
  register.unkeyed(addOptions, async (c) => {
    const { id, account } = await ownSession(c, services);
    await assertMayChangeFactors(db, id);
    const challenge = await issueChallenge(services, account.id);
    return found(c, await creationOptions(party, challenge, account, await listPasskeys(db, account.id)));
  });
  register.unkeyed(add, async (c) => {
    const { id, account } = await ownSession(c, services);
    const sent = c.req.valid('json');
    const challenge = await consumedChallenge(services, sent.clientDataJSON, account.id);
    const credential = { ...(await verifyNew(party, challenge, sent)), name: sent.name };
    const added = await inTransaction(services, async (tx) => {
      await lockAccount(tx, account.id);
      await assertMayChangeFactors(tx, id);
      // Its holder was seen just now: the first one opens what needs a second factor.
      await markSecondFactor(tx, id);
      return addPasskey(tx, account.id, credential, ownAuthor(c, { id, account }));
    });
    services.standing.changed(account.principal);
    return createdFixed(c, added, 'Passkey added');
  });
  register.unkeyed(rename, (c) =>
    whenOwn(c, services, async (session) => {
      const { id } = c.req.valid('param');
      const name = nameIn(await formOf(c));
      const { account } = session;
      await inTransaction(services, (tx) => renamePasskey(tx, account.id, id, name, ownAuthor(c, session)));
      return c.redirect('/account', 303);
    }),
  );
  register.unkeyed(remove, (c) =>
    whenOwn(c, services, async (session) => {
      const { account } = session;
      await inTransaction(services, async (tx) => {
        await lockAccount(tx, account.id);
        await assertMayChangeFactors(tx, session.id);
        await removePasskey(tx, account.id, c.req.valid('param').id, ownAuthor(c, session));
      });
      return c.redirect('/account', 303);
    }),
  );
}

const nameIn = (form: URLSearchParams): string => {
  const name = PasskeyName.safeParse(form.get('name') ?? '');
  if (name.success) return name.data;
  throw new RoomyError('VALIDATION_FAILED', { text: 'A name has 1 to 60 characters' });
};

const issueChallenge = (services: Services, accountId: string | null): Promise<string> =>
  issueOneTime(services.db, { kind: 'PASSKEY_CHALLENGE', accountId, lifetimeSeconds: CHALLENGE_SECONDS });

/**
 * Used up before anything of the answer is looked at, and whatever comes of that. One that was made for an account counts for
 * that account alone, and one of a sign-in adds no passkey. Throws `UNAUTHENTICATED`.
 */
async function consumedChallenge(
  services: Services,
  clientDataJSON: string,
  accountId: string | null,
): Promise<string> {
  const challenge = challengeOf(clientDataJSON);
  const begun = challenge === null ? null : await consumeOneTime(services.db, 'PASSKEY_CHALLENGE', challenge);
  if (challenge === null || begun === null || begun.accountId !== accountId) throw notTheirs('challenge');
  return challenge;
}
