import type { OrderedText } from '../../notifications/enqueue.ts';
import { type AccountOf, toAccount } from './account-mail.ts';
import { defineMessage, MAIL } from './define.ts';
import { type Amount, amountParams, mailToGuest, mailToStaff, toOps } from './deliveries.ts';

export const approvalDecided = defineMessage({
  event: 'APPROVAL_DECIDED',
  cause:
    'when a second person has approved or refused, nobody has in time, the question was withdrawn, or what was approved could not be done',
  to: { GUEST: { channels: MAIL }, STAFF: { channels: MAIL }, OPS: { channels: MAIL } },
  // Somebody waits for it.
  countsApart: true,
  variables: ['recipientName', 'accountName', 'amount', 'sagaName', 'code', 'sagaId', 'why'],
  example: { amountMinor: 100_000, currency: 'AED' },
  texts: {
    'approval-given.guest@1': {
      en: {
        subject: 'Your payment is being taken',
        message: `Dear {recipientName},

We have looked at your payment of {amount|your stay}, and it is being taken now.`,
      },
      ar: {
        subject: 'جارٍ تحصيل دفعتك',
        message: `عزيزي {recipientName}،

راجعنا دفعتك بمبلغ {amount|إقامتك}، ويجري تحصيلها الآن.`,
      },
    },
    'approval-refused.guest@1': {
      en: {
        subject: 'Your payment was not taken',
        message: `Dear {recipientName},

Your payment of {amount|your stay} was not taken, and nothing was charged. Please use another way to pay, or ask us.`,
      },
      ar: {
        subject: 'لم تُحصَّل دفعتك',
        message: `عزيزي {recipientName}،

لم تُحصَّل دفعتك بمبلغ {amount|إقامتك}، ولم يُخصم أي مبلغ. يُرجى استخدام وسيلة دفع أخرى أو التواصل معنا.`,
      },
    },
    'approval-given.staff@1': {
      en: {
        subject: 'Approved: {sagaName}',
        message: `Dear {recipientName},

What you asked for is approved, and goes ahead: {sagaName}, {amount|no amount}.

Approval: {sagaId}`,
      },
    },
    'approval-refused.staff@1': {
      en: {
        subject: 'Not approved: {sagaName} - {code}',
        message: `Dear {recipientName},

What you asked for is not approved ({code}), and nothing was done: {sagaName}, {amount|no amount}.

Approval: {sagaId}`,
      },
    },
    'approval-undone.staff@1': {
      en: {
        subject: 'Approved, and not done: {sagaName} - {code}',
        message: `Dear {recipientName},

What was approved could not be done after all, and everything is as it was before: {sagaName}, {amount|no amount}.

Why: {why}

Approval: {sagaId}`,
      },
    },
    'approval-undone.ops@1': {
      en: {
        subject: 'Approved, and not done: {sagaName} - {code}',
        message: `What a second person has approved could not be done after all, and everything is as it was before: {sagaName}.

Why: {why}

GET /api/production/approvals/{sagaId} tells who asked, and who approved.`,
      },
    },
    // To a person of the office, at the address of the account. OPS reads kept texts, so there are no amounts in them.
    'own-approval-given.ops@1': {
      en: {
        subject: 'Approved: {sagaName}',
        message: `Dear {accountName},

What you asked for is approved, and goes ahead: {sagaName}.

GET /api/production/approvals/{sagaId} tells who approved, and why.`,
      },
    },
    'own-approval-refused.ops@1': {
      en: {
        subject: 'Not approved: {sagaName} - {code}',
        message: `Dear {accountName},

What you asked for is not approved ({code}), and nothing was done: {sagaName}.

GET /api/production/approvals/{sagaId} tells who decided, and why.`,
      },
    },
    'own-approval-undone.ops@1': {
      en: {
        subject: 'Approved, and not done: {sagaName} - {code}',
        message: `Dear {accountName},

What was approved could not be done after all, and everything is as it was before: {sagaName}.

Why: {why}

GET /api/production/approvals/{sagaId} tells who asked, and who approved.`,
      },
    },
    'approval-given.ops@1': {
      en: {
        subject: 'Approved: {sagaName}',
        message: `A second person has approved it, and it goes ahead: {sagaName}.

GET /api/production/approvals/{sagaId} tells who asked, who approved, and why.`,
      },
    },
    'approval-refused.ops@1': {
      en: {
        subject: 'Not approved: {sagaName} - {code}',
        message: `It is not approved ({code}), and nothing was done: {sagaName}.

GET /api/production/approvals/{sagaId} tells who asked, who decided, and why.`,
      },
    },
  },
});

/** Who asked: a person with a record here, one of the office with an account, or operations in place of anybody else. */
export type Asker =
  | { readonly type: 'OFFICE'; readonly id: string; readonly account: AccountOf }
  | { readonly type: 'STAFF' | 'GUEST'; readonly id: string }
  | { readonly type: 'OPS'; readonly id: 'ops' };

/** To who asked. `money` in minor units; null: it was not about an amount. */
export function approvalDecidedMessage(
  asker: Asker,
  decided: {
    readonly approvalId: string;
    readonly kind: string;
    readonly status: 'APPROVED' | 'DECLINED' | 'EXPIRED' | 'WITHDRAWN';
    readonly money: Amount | null;
  },
): OrderedText {
  const { approvalId: sagaId, kind: sagaName, status: code, money } = decided;
  const params = { sagaId, sagaName, code, ...(money && amountParams(money)) };
  const given = code === 'APPROVED';
  switch (asker.type) {
    case 'GUEST':
      return mailToGuest(approvalDecided, given ? 'approval-given.guest@1' : 'approval-refused.guest@1', asker.id, {
        params,
      });
    case 'STAFF':
      return mailToStaff(approvalDecided, given ? 'approval-given.staff@1' : 'approval-refused.staff@1', asker.id, {
        params,
      });
    case 'OFFICE':
      return toAccount(approvalDecided, given ? 'own-approval-given' : 'own-approval-refused', asker.account, params);
    case 'OPS':
      return toOps(approvalDecided, given ? 'approval-given.ops@1' : 'approval-refused.ops@1', { params });
  }
}

/** To who asked, or who approved: `code` is why what was approved could not be done. A guest reads that nothing was charged. */
export function approvedButUndoneMessage(
  to: Asker,
  undone: { readonly approvalId: string; readonly kind: string; readonly code: string; readonly money: Amount | null },
): OrderedText {
  const { approvalId: sagaId, kind: sagaName, code, money } = undone;
  const params = { sagaId, sagaName, code, ...(money && amountParams(money)) };
  switch (to.type) {
    case 'GUEST':
      return mailToGuest(approvalDecided, 'approval-refused.guest@1', to.id, { params });
    case 'STAFF':
      return mailToStaff(approvalDecided, 'approval-undone.staff@1', to.id, { params });
    case 'OFFICE':
      return toAccount(approvalDecided, 'own-approval-undone', to.account, params);
    case 'OPS':
      return toOps(approvalDecided, 'approval-undone.ops@1', { params });
  }
}
