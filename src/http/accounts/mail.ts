import type { Tx } from '../../db/client.ts';
import { accountEmailChangedMessages } from '../../domain/messages/catalogue/account-email-changed.ts';
import { accountInvitedMessage } from '../../domain/messages/catalogue/account-invited.ts';
import { signInLinkMessage } from '../../domain/messages/catalogue/sign-in-link.ts';
import { enqueueInTransaction } from '../../domain/notifications/enqueue.ts';
import type { AccountRow } from '../../domain/people/accounts.ts';
import { issueOneTime, withdrawOneTimes } from '../../domain/people/one-time.ts';
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

/** Links that were sent before stay open: whoever asks for new ones in another's name must not lock that person out. */
export const mailSignInLink = (tx: Tx, deps: Deps, account: AccountRow): Promise<void> =>
  mail(tx, deps, account, { kind: 'LINK', lifetimeSeconds: SIGN_IN_SECONDS });

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
