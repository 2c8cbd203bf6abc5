import { API, type OperationTexts, PAGED, SAGA } from './kinds.ts';

const MAJOR =
  'Amounts are in major units (1000 is AED 1,000.00), one sum for each currency: currencies are never added up.';

export const MONEY: OperationTexts = {
  [`GET ${API}/approvals`]: {
    id: 'listApprovals',
    text: `What waits for a second person (\`status=PENDING\`): payments that look odd, refunds beyond the policy and goodwill over the limit, costs charged to owners, and changed payout accounts; and what was decided, by whom and why. ${PAGED} ${MAJOR}`,
  },
  [`GET ${API}/approvals/:id`]: {
    id: 'getApproval',
    text: `One question to a second person, with who asked, until when it can be answered, and the answer if there is one. ${MAJOR}`,
  },
  [`POST ${API}/approvals/:id`]: {
    id: 'decideApproval',
    text: 'Answers a question, once. `APPROVE` lets what waits go on in the same transaction, with exactly the text, amount and property that were asked; `DECLINE` refuses it with `APPROVAL_DECLINED`. Never by who asked, nor by who did the work that is charged, under whatever name or API key (`SECOND_PERSON_REQUIRED`), and not over the limit of the role (`APPROVAL_LIMIT_EXCEEDED`). A retry of the saga is no answer. `SAGA_IN_PROGRESS`: something else is at work on the stay; the question stays open. Who asked gets a message.',
  },
  [`GET ${API}/settings/approval-limits`]: {
    id: 'getApprovalLimits',
    text: `How much one person may decide alone, and how much each role may approve, by currency; how long questions stay open, and how long payouts to a changed account wait. ${MAJOR}`,
  },
  [`PUT ${API}/settings/approval-limits`]: {
    id: 'setApprovalLimits',
    text: 'Sets a new version of the limits, for what is asked from then on; what was accepted before is judged by the version of its time. `If-Match` is required (428 without it, 412 when somebody else has changed the limits). Amounts are in major units, and a currency that is not named has the limit 0.',
  },
  [`GET ${API}/transactions`]: {
    id: 'listTransactions',
    text: `Payments, payouts, fees, refunds and corrections, by reservation, owner, type, status or gateway reference. ${PAGED} ${MAJOR}`,
  },
  [`GET ${API}/transactions/:id`]: {
    id: 'getTransaction',
    text: `One transaction with the saga that made it, its entries in the ledger (debit and credit by account) and what reverses it. ${MAJOR}`,
  },
  [`POST ${API}/transactions/:id/payout`]: {
    id: 'processOwnerPayout',
    text: `Pays an \`OWNER_PAYOUT\` out now instead of waiting for its schedule. Refused with \`PAYOUT_EXCEEDS_BALANCE\` when the owner is owed less than that (with \`netting\` what is available is paid), with \`PAYOUT_BEFORE_SCHEDULE\` when it is not due and \`strict\` is set, and with \`NOT_A_PAYOUT\` for a transaction of another type. ${SAGA}`,
  },
  [`POST ${API}/transactions/:id/settlement`]: {
    id: 'settleRefund',
    text: 'For a refund in status `MANUAL_REQUIRED`, which the gateway would not send back: records by which transfer a person has sent the money. The refund is then `COMPLETED`, and its task of type `FINANCE` is done. A second settlement is `ALREADY_PAID`.',
  },
  [`GET ${API}/financial/summary`]: {
    id: 'getFinancialSummary',
    text: `Sums of the ledger: what guests paid, what was refunded, and whose it is. A period restricts what was moved in it; \`asOf\` gives the balances at that moment. Owners get their own money alone, agents that of their portfolio. ${MAJOR}`,
  },
  [`GET ${API}/financial/integrity`]: {
    id: 'checkFinancialIntegrity',
    text: 'Recomputes balances, splits and totals from the rows of the ledger and names what does not agree. Looked at is what has changed since it was last found in order, whoever changed it: a row that is written in the database, past this API, is marked too and found at once. Sums over all rows (`currency-balanced`, `ledger-total`, `owner-balance`, `open-payouts`), and a change made with the marks turned off, are found when all of it is looked at: every night (`lastFullAt`), or now with `full=true`, which takes longer the more there is. `ok` is true and `differences` is empty unless something is wrong; amounts in differences are in minor units. Stays with a running saga are left out (`inFlight`).',
  },
  [`GET ${API}/owners/:id/balance`]: {
    id: 'getOwnerBalance',
    text: `What the owner is owed now, and how it comes about: shares, fees, costs of repairs, payouts. An owner reads its own balance only. ${MAJOR}`,
  },
  [`GET ${API}/owners/:id/statement`]: {
    id: 'getOwnerStatement',
    text: `The lines of the owner’s account, oldest first, each with the balance after it, and opening and closing balances of the period (\`balances\`). An owner reads its own statement only. Go on with \`nextCursor\`. ${MAJOR}`,
  },
  [`GET ${API}/financial/income-distribution`]: {
    id: 'getIncomeDistribution',
    text: 'The terms in force: shares in percent, who bears gateway fees, when owners are paid out, what is refunded when. With `version` an earlier version. The `ETag` is what a change must send as `If-Match`.',
  },
  [`PUT ${API}/financial/income-distribution`]: {
    id: 'setIncomeDistribution',
    text: 'Sets a new version of the terms, for stays that are confirmed from `effectiveFrom` on; stays that are confirmed already keep theirs. The three shares must sum to exactly 100 (`DISTRIBUTION_SUM_INVALID`) and have at most two decimals. `If-Match` is required (428 without it, 412 when somebody else has changed the terms).',
  },
  [`GET ${API}/financial/income-distribution/versions`]: {
    id: 'listIncomeDistributionVersions',
    text: `Every version of the terms with who set it and from when it holds. ${PAGED}`,
  },
  [`POST ${API}/financial/reconciliations`]: {
    id: 'createReconciliation',
    text: 'Compares the ledger with what a payment gateway has on record for a period of at most 31 days: its own record when the body is JSON, or its settlement file when the body is `text/csv` (then `gatewayId` is a query parameter). Answers 201 with counts, or 200 when the same was compared before. What the record or the file says has been handed over is booked from clearing into the bank, less its fee, once for each charge and refund (`settlementsPosted`, `settled`). Each kind of difference is counted on its own, and `open` counts those that nobody has explained.',
  },
  [`GET ${API}/financial/reconciliations`]: {
    id: 'listReconciliations',
    text: `Comparisons that were made, by a schedule or by hand. ${PAGED}`,
  },
  [`GET ${API}/financial/differences`]: {
    id: 'listDifferences',
    text: `What is open (\`status=OPEN\`), explained or resolved between gateways’ records and the ledger: one for each charge, refund or payout, whichever comparison found it. ${PAGED} ${MAJOR}`,
  },
  [`GET ${API}/financial/differences/:id`]: {
    id: 'getDifference',
    text: `One difference with every field that differs (\`differs\`), as the ledger has it and as the gateway does. The \`ETag\` can be sent as \`If-Match\` with a change. ${MAJOR}`,
  },
  [`POST ${API}/financial/differences/:id/explanation`]: {
    id: 'explainDifference',
    text: 'Says why a difference is right as it is. It is not counted as open any more, in no later comparison either, until its values change: then it is open again, without the explanation. The same reason again changes nothing. With `If-Match` only the values that were read are explained. Refused with `INVALID_STATE_TRANSITION` when both sides agree by now.',
  },
  [`DELETE ${API}/financial/differences/:id/explanation`]: {
    id: 'withdrawExplanation',
    text: 'Takes an explanation back: the difference is open again. For one that is open it changes nothing.',
  },
  [`POST ${API}/financial/differences/:id/correction`]: {
    id: 'bookDifference',
    text: 'Books a difference in a gateway’s fee as a `GATEWAY_FEE` of its own beside the first one, borne by those who bear gateway fees under the stay’s terms; what the owner bears more comes off its open payouts. The difference is then `RESOLVED`. Refused with `DIFFERENCE_NOT_BOOKABLE` when anything else differs, and with `SAGA_IN_PROGRESS` while the payment itself is under way.',
  },
  [`GET ${API}/financial/reconciliations/:id`]: {
    id: 'getReconciliation',
    text: 'One comparison with a page of its lines; `status` shows, for example, only what is missing in the ledger. With `format=csv` every line comes as a file that is safe to open in a spreadsheet.',
  },
};
