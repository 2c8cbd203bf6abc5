import type { Tx } from '../../db/client.ts';
import { lockAccount, needsSecondFactor, takeTimeStep, updateAccount } from '../../domain/people/accounts.ts';
import { noteSessions } from '../../domain/people/administer.ts';
import { assertMayChangeFactors, mayChangeFactors } from '../../domain/people/factors.ts';
import { hasPasskey } from '../../domain/people/passkeys.ts';
import { countWrongCode, type LiveSession, markSecondFactor } from '../../domain/people/sessions.ts';
import { challengePage, passkeyChallengePage, setUpPage, signInAgainPage } from '../../web/account-page.ts';
import { SIGN_IN_POLICY } from '../../web/layout.ts';
import { passkeyFactor, passkeyInstead } from '../../web/sign-in-parts.ts';
import { type AnyContext, inTransaction, type Services } from '../context.ts';
import { answerForm } from './form.ts';
import { newTotpSecret, qrOf, stepOf } from './totp.ts';

/** The second factor of an account: set up once, then asked for at every sign-in, and again for acts on money. */

const WRONG = 'This code is not right, or was used already. Wait for the next one.';
const contextOf = (accountId: string): string => `totp ${accountId}`;

/** The page that asks for a code; with a new secret where no app is set up yet. Nothing is kept before a code has proved it. */
export async function secondFactorPage(
  c: AnyContext,
  services: Services,
  { id, account }: LiveSession,
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
    const page = byPasskey ? passkeyChallengePage(prefix, passkeyFactor(prefix)) : signInAgainPage(prefix);
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
  const author = { actor: session.account.principal, requestId: c.get('requestId'), ip: c.get('ip') };
  const counted = await inTransaction(services, async (tx) => {
    const took = await takeOnce(tx, services, session, { code, offered });
    const event = took === null ? 'SECOND_FACTOR_REFUSED' : took;
    if (took === null) await countWrongCode(tx, session.id);
    else await markSecondFactor(tx, session.id);
    await noteSessions(tx, author, session.account.id, event, { session: session.id });
    return took !== null;
  });
  services.standing.changed(session.account.principal);
  return counted ? null : secondFactorPage(c, services, session, WRONG, offered);
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
