import type { Tx } from '../../db/client.ts';
import { accountEmailChangedMessages } from '../../domain/messages/catalogue/account-email-changed.ts';
import { accountInvitedMessage } from '../../domain/messages/catalogue/account-invited.ts';
import { secondFactorPausedMessage } from '../../domain/messages/catalogue/second-factor-paused.ts';
import { signInLinkMessage } from '../../domain/messages/catalogue/sign-in-link.ts';
import { enqueueInTransaction } from '../../domain/notifications/enqueue.ts';
import type { AccountRow } from '../../domain/people/accounts.ts';
import { issueOneTime, recentOneTimes, withdrawOneTimes } from '../../domain/people/one-time.ts';
import { newId } from '../../kernel/ids.ts';
import type { Services } from '../context.ts';

/** Mails with a link for an account, ordered in the transaction that makes the link. */

const SIGN_IN_SECONDS = 15 * 60;
const INVITATION_SECONDS = 7 * 24 * 3_600;

type Deps = Pick<Services, 'secrets' | 'clock'>;

/** An invitation takes the ones before it back: one address opens an account, not two. */
export async function mailInvitation(tx: Tx, deps: Deps, account: AccountRow): Promise<void> {
  await withdrawOneTimes(tx, account.id, ['INVITATION']);
  await mail(tx, deps, account, { kind: 'INVITATION', lifetimeSeconds: INVITATION_SECONDS });
}

const LINK_EVERY_SECONDS = 5 * 60;
/** An invitation opens for a week: one of the last hours is in the mailbox. */
const INVITATION_EVERY_SECONDS = 6 * 3_600;
/** More than strangers get out of it: for somebody who uses links and asks again. */
const MAX_LINKS_AN_HOUR = 20;

/**
 * Of somebody who was invited and has not come yet, the link of the invitation, as the first mail may be lost or past its week.
 * Links that were sent before stay open: whoever asks for new ones in another's name must not lock that person out. While one of the
 * last minutes is unused there is no other: it lies in the mailbox. So no asking of strangers floods it, and no cap of the day is needed.
 * The account is locked.
 */
export async function mailSignInLink(tx: Tx, deps: Deps, account: AccountRow): Promise<void> {
  const link =
    account.status === 'INVITED'
      ? ({ kind: 'INVITATION', lifetimeSeconds: INVITATION_SECONDS, everySeconds: INVITATION_EVERY_SECONDS } as const)
      : ({ kind: 'LINK', lifetimeSeconds: SIGN_IN_SECONDS, everySeconds: LINK_EVERY_SECONDS } as const);
  const { unused, issued } = await recentOneTimes(tx, account.id, link.kind, link.everySeconds);
  if (unused > 0 || issued >= MAX_LINKS_AN_HOUR) return;
  await mail(tx, deps, account, link);
}

/** Tells the address before and the new one of the change, whatever becomes of the row until the mails are sent. */
export async function mailEmailChanged(
  tx: Tx,
  { secrets }: Pick<Deps, 'secrets'>,
  account: AccountRow,
  formerEmail: string,
): Promise<void> {
  const sealed = {
    former: secrets.seal(account.id, formerEmail),
    current: secrets.seal(account.id, account.email),
  };
  const messages = accountEmailChangedMessages(account, sealed);
  await enqueueInTransaction(tx, newId('email-change'), messages, { sagaId: null, reservationId: null });
}

/** Once for a run of wrong codes: whoever gives them has come as far as the second factor. */
export async function mailSecondFactorPaused(tx: Tx, account: AccountRow): Promise<void> {
  const messages = [secondFactorPausedMessage(account)];
  await enqueueInTransaction(tx, newId('second-factor'), messages, { sagaId: null, reservationId: null });
}

async function mail(
  tx: Tx,
  { secrets, clock }: Deps,
  account: AccountRow,
  { kind, lifetimeSeconds }: { readonly kind: 'LINK' | 'INVITATION'; readonly lifetimeSeconds: number },
): Promise<void> {
  const secret = await issueOneTime(tx, { kind, accountId: account.id, lifetimeSeconds });
  const link = {
    account,
    sealedLink: secrets.seal(account.id, secret),
    expiresAt: new Date(clock.now().getTime() + lifetimeSeconds * 1_000),
  };
  const message = kind === 'LINK' ? signInLinkMessage(link) : accountInvitedMessage(link);
  await enqueueInTransaction(tx, newId('sign-in'), [message], { sagaId: null, reservationId: null });
}
