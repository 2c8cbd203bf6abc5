import { createRoute } from '@hono/zod-openapi';
import type { Tx } from '../../db/client.ts';
import { accountView, getAccount, listAccounts, lockAccount } from '../../domain/people/accounts.ts';
import {
  addAccount,
  type Changed,
  deactivateAccount,
  endAllSessions,
  reactivateAccount,
} from '../../domain/people/administer.ts';
import { resetAuthenticator } from '../../domain/people/lost-phone.ts';
import { changeAccount } from '../../domain/stays/change-account.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { mailEmailChanged, mailInvitation } from '../accounts/mail.ts';
import { created, expectedVersions, found, foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import type { Kept, Once } from '../idempotent.ts';
import type { Register } from '../route.ts';
import { Account, AccountChange, AccountQuery, EndedSessions, NewAccount } from '../schemas/accounts.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';

const PATH = '/api/production/accounts';
const tags = ['Accounts'];
const example = { email: 'nina@example.com', name: 'Nina Petrova', role: 'CLEANER', staffId: 'cleaner-1' };

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List accounts, newest first',
  request: { query: AccountQuery },
  responses: { 200: answer('A page of accounts', many(Account)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const invite = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Invite somebody: the account is made, and a mail with its link is on its way',
  request: { body: jsonOf(NewAccount, example) },
  responses: { 201: answer('Invited', one(Account)), ...bodyRefusals('ALREADY_EXISTS') },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get an account',
  request: { params: IdParam },
  responses: { 200: answer('The account', one(Account)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change address, name, role or record; another address or role ends all sessions. Honours If-Match',
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(AccountChange, { name: 'Nina Petrova-Haddad' }) },
  responses: {
    200: answer('Changed', one(Account)),
    ...bodyRefusals('NOT_FOUND', 'PRECONDITION_FAILED', 'ALREADY_EXISTS', 'LAST_ADMIN'),
  },
});
const act = (word: 'deactivate' | 'reactivate' | 'invitation', summary: string) =>
  createRoute({
    method: 'post',
    path: `${PATH}/{id}/${word}`,
    tags,
    summary,
    request: { params: IdParam, headers: ChangeHeaders },
    responses: {
      200: answer('The account', one(Account)),
      ...bodyRefusals('NOT_FOUND', 'PRECONDITION_FAILED', 'LAST_ADMIN', 'INVALID_STATE_TRANSITION'),
    },
  });
const deactivate = act('deactivate', 'Deactivate: signed out everywhere, and refused from now on. Honours If-Match');
const reactivate = act('reactivate', 'Let somebody sign in again. Honours If-Match');
const inviteAgain = act('invitation', 'Send the invitation again; the link before it ends');
const endSessions = createRoute({
  method: 'delete',
  path: `${PATH}/{id}/sessions`,
  tags,
  summary: 'Sign somebody out everywhere',
  request: { params: IdParam },
  responses: { 200: answer('Ended', one(EndedSessions)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const forgetAuthenticator = createRoute({
  method: 'delete',
  path: `${PATH}/{id}/authenticator`,
  tags,
  summary: 'Forget an authenticator app, such as on a lost phone; all sessions end',
  request: { params: IdParam },
  responses: { 200: answer('Forgotten', one(Account)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});

export function registerAccounts(register: Register, services: Services): void {
  const { db, standing } = services;
  register(list, (c) =>
    page(c, services, 'accounts', c.req.valid('query'), (filter, at) => listAccounts(db, filter, at)),
  );
  register.mutation(invite, (c, once) => {
    const wanted = c.req.valid('json');
    return once.change(async (tx, afterCommit) => {
      const account = await addAccount(tx, { ...wanted, invitedBy: callerOf(c).principal }, authorOf(c));
      await mailInvitation(tx, services, account);
      // The principal may have had no account a moment ago.
      afterCommit(() => standing.changed(account.principal));
      return created(c, accountView(account), 'Invited');
    });
  });
  register(read, async (c) => foundVersion(c, accountView(await getAccount(db, c.req.valid('param').id))));

  const changing = (c: AnyContext, once: Once, work: (tx: Tx) => Promise<Changed>): Promise<Kept> =>
    once.change(async (tx, afterCommit) => {
      const { account, principals } = await work(tx);
      afterCommit(() => standing.changed(...principals));
      return foundVersion(c, accountView(account));
    });
  register.mutation(change, (c, once) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    return changing(c, once, async (tx) => {
      const changed = await changeAccount(tx, id, changes, expectedVersions(c), authorOf(c));
      const { account, formerEmail } = changed;
      if (formerEmail !== undefined) await mailEmailChanged(tx, services, account, formerEmail);
      return changed;
    });
  });
  register.mutation(deactivate, (c, once) => {
    const { id } = c.req.valid('param');
    return changing(c, once, (tx) => deactivateAccount(tx, id, expectedVersions(c), authorOf(c)));
  });
  register.mutation(reactivate, (c, once) => {
    const { id } = c.req.valid('param');
    return changing(c, once, (tx) => reactivateAccount(tx, id, expectedVersions(c), authorOf(c)));
  });
  register.mutation(forgetAuthenticator, (c, once) => {
    const { id } = c.req.valid('param');
    return changing(c, once, (tx) => resetAuthenticator(tx, id, authorOf(c)));
  });
  register.mutation(inviteAgain, (c, once) => {
    const { id } = c.req.valid('param');
    return changing(c, once, async (tx) => {
      const account = await lockAccount(tx, id);
      if (account.status !== 'INVITED') {
        const details = { currentStatus: account.status, action: 'invite' };
        throw new RoomyError('INVALID_STATE_TRANSITION', { details });
      }
      await mailInvitation(tx, services, account);
      return { account, principals: [] };
    });
  });
  register.mutation(endSessions, (c, once) => {
    const { id } = c.req.valid('param');
    return once.change(async (tx, afterCommit) => {
      const account = await lockAccount(tx, id);
      const ended = await endAllSessions(tx, account, 'REVOKED', authorOf(c));
      afterCommit(() => standing.changed(account.principal));
      return found(c, { ended });
    });
  });
}
