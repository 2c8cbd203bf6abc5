import type { Tx } from '../../db/client.ts';
import type { Author } from '../../domain/audit/record.ts';
import {
  type AccountRow,
  codePauseOf,
  countWrongCodeOf,
  lockAccount,
  needsSecondFactor,
  takeTimeStep,
  updateAccount,
} from '../../domain/people/accounts.ts';
import { noteSessions } from '../../domain/people/administer.ts';
import { assertMayChangeFactors, mayChangeFactors } from '../../domain/people/factors.ts';
import { hasPasskey } from '../../domain/people/passkeys.ts';
import { countWrongCode, findSessionById, type LiveSession, markSecondFactor } from '../../domain/people/sessions.ts';
import {
  challengePage,
  demoAgainPage,
  passkeyChallengePage,
  setUpPage,
  signInAgainPage,
} from '../../web/account-page.ts';
import { SIGN_IN_POLICY } from '../../web/layout.ts';
import { passkeyFactor, passkeyInstead } from '../../web/sign-in-parts.ts';
import { type AnyContext, inTransaction, type Services } from '../context.ts';
import { answerForm } from './form.ts';
import { mailSecondFactorPaused } from './mail.ts';
import { ownAuthor } from './own-session.ts';
import { newTotpSecret, qrOf, stepOf } from './totp.ts';

/** The second factor of an account: set up once, then asked for at every sign-in, and again for acts on money. */

const WRONG = 'This code is not right, or was used already. Wait for the next one.';
const UNREADABLE = 'Your app cannot be checked any more. Ask an administrator to reset it, or use a passkey.';
const contextOf = (accountId: string): string => `totp ${accountId}`;

/** The page that asks for a code; with a new secret where no app is set up yet. Nothing is kept before a code has proved it. */
export async function secondFactorPage(
  c: AnyContext,
  services: Services,
  { id, account, method }: LiveSession,
  problem: string | null = null,
  known: string | null = null,
): Promise<Response> {
  const prefix = c.get('prefix');
  const byPasskey = await hasPasskey(services.db, account.id);
  if (account.totp_secret !== null) {
    const instead = byPasskey ? passkeyFactor(prefix) : '';
    return answerForm(c, challengePage(prefix, problem, instead), SIGN_IN_POLICY);
  }
  // An app is set up by somebody who has given the factor that there is, or has signed in just now.
  if (!(await mayChangeFactors(services.db, id))) {
    const without = method === 'DEMO' ? demoAgainPage(prefix, account) : signInAgainPage(prefix);
    const page = byPasskey ? passkeyChallengePage(prefix, passkeyFactor(prefix)) : without;
    return answerForm(c, page, SIGN_IN_POLICY);
  }
  const secret = known ?? newTotpSecret();
  return answerForm(
    c,
    setUpPage({
      prefix,
      qr: qrOf(secret, account.email),
      secret,
      sealed: services.secrets.seal(contextOf(account.id), secret),
      isRequired: needsSecondFactor(account.role),
      problem,
      instead: passkeyInstead(prefix),
    }),
    SIGN_IN_POLICY,
  );
}

/** Takes a code. Null: it counted, and the session has its second factor; else the page that says that it did not. */
export async function takeCode(
  c: AnyContext,
  services: Services,
  session: LiveSession,
  form: URLSearchParams,
): Promise<Response | null> {
  const code = (form.get('code') ?? '').replaceAll(' ', '');
  const offered = services.secrets.open(contextOf(session.account.id), form.get('sealed') ?? '');
  const author = ownAuthor(c, session);
  const took = await inTransaction(services, async (tx) => {
    const account = await lockAccount(tx, session.account.id);
    // Of many codes at once, those that waited for the lock find what the ones before have ended.
    if ((await findSessionById(tx, session.id)) === null) return 'SIGNED_OUT';
    const pause = account.totp_secret === null ? 0 : await codePauseOf(tx, account.id);
    if (pause > 0) return { pause };
    if (account.totp_secret !== null && services.secrets.open(contextOf(account.id), account.totp_secret) === null)
      return 'UNREADABLE';
    const event = await takeOnce(tx, services, session, { code, offered });
    await noteSessions(tx, author, account.id, event ?? 'SECOND_FACTOR_REFUSED', { session: session.id });
    if (event === null) await countWrong(tx, session, account, author);
    else await markSecondFactor(tx, session.id);
    return event;
  });
  services.standing.changed(session.account.principal);
  if (took === 'UNREADABLE') {
    services.log.warn(
      { account: session.account.id },
      'an authenticator was sealed by a key that SEAL_KEYS does not have',
    );
    return secondFactorPage(c, services, session, UNREADABLE);
  }
  if (took === null) return secondFactorPage(c, services, session, WRONG, offered);
  if (took === 'SIGNED_OUT') return c.redirect('/sign-in', 303);
  return typeof took === 'string' ? null : pausedPage(c, services, session, took.pause);
}

/** For the session, which ends with the fifth, and for the account: sessions cost nothing to who can read somebody's mail. */
async function countWrong(tx: Tx, session: LiveSession, account: AccountRow, author: Author): Promise<void> {
  await countWrongCode(tx, session.id);
  // Of a secret that is being set up nothing can be guessed.
  if (account.totp_secret === null) return;
  const { pause, isFirst } = await countWrongCodeOf(tx, account.id);
  if (pause > 0) await noteSessions(tx, author, account.id, 'SECOND_FACTOR_PAUSED', { seconds: pause });
  if (isFirst) await mailSecondFactorPaused(tx, account);
}

/** 429, with the passkey as the other way. */
async function pausedPage(c: AnyContext, services: Services, session: LiveSession, pause: number): Promise<Response> {
  c.status(429);
  c.header('Retry-After', String(pause));
  const minutes = Math.ceil(pause / 60);
  return secondFactorPage(
    c,
    services,
    session,
    `Too many wrong codes: none counts for ${minutes} minutes. A passkey does.`,
  );
}

/** What happened; null: the code is wrong, or its time step was taken. The row is locked, so of two at once one counts. */
async function takeOnce(
  tx: Tx,
  services: Services,
  { id: sessionId, account: { id } }: LiveSession,
  { code, offered }: { readonly code: string; readonly offered: string | null },
): Promise<'SECOND_FACTOR_SET_UP' | 'SECOND_FACTOR_GIVEN' | null> {
  const account = await lockAccount(tx, id);
  const { totp_secret: sealed } = account;
  const secret = sealed === null ? offered : services.secrets.open(contextOf(id), sealed);
  const step = secret === null ? null : stepOf(secret, code, services.clock.now());
  if (secret === null || step === null || !(await takeTimeStep(tx, id, step))) return null;
  if (sealed === null) await assertMayChangeFactors(tx, sessionId);
  // A new secret; or one whose key is about to leave the configuration.
  if (sealed === null || !services.secrets.isCurrent(sealed)) {
    await updateAccount(tx, id, { totp_secret: services.secrets.seal(contextOf(id), secret) });
  }
  return sealed === null ? 'SECOND_FACTOR_SET_UP' : 'SECOND_FACTOR_GIVEN';
}
