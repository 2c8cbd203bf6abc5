import type { Tx } from '../../db/client.ts';
import type { Author } from '../audit/record.ts';
import { lockAccount, updateAccount } from './accounts.ts';
import { type Changed, noteChange } from './administer.ts';
import { removePasskeysOf } from './passkeys.ts';
import { endSessionsOf } from './sessions.ts';

/**
 * A phone is lost: nothing of what may be on it opens the account any more. The authenticator app and the passkeys, each of which
 * is two factors, are set up anew after the next sign-in; sessions end, and so do links on their way. Throws `NOT_FOUND`.
 */
export async function resetAuthenticator(tx: Tx, id: string, author: Author): Promise<Changed> {
  const before = await lockAccount(tx, id);
  const account = await updateAccount(tx, id, {
    totp_secret: null,
    totp_step: null,
    wrong_codes: 0,
    wrong_code_at: null,
  });
  const passkeys = await removePasskeysOf(tx, id);
  const ended = await endSessionsOf(tx, id, 'REVOKED');
  const fields = ['totpSecret', ...(passkeys > 0 ? ['passkeys'] : [])];
  await noteChange(tx, author, [before, account], 'ACCOUNT_AUTHENTICATOR_RESET', fields, ended);
  return { account, principals: [before.principal] };
}
