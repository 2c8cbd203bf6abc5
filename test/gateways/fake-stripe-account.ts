/** A Stripe account in memory: it answers our requests as Stripe documents it. */

export type Form = ReadonlyMap<string, string>;
export class StripeRefusal extends Error {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(String(body['code'] ?? body['type']));
    this.status = status;
    this.body = body;
  }
}
const invalid = (code: string, status = 400): StripeRefusal =>
  new StripeRefusal(status, { type: 'invalid_request_error', code, message: code });

export interface FakeIntent {
  id: string;
  status: string;
  amount: number;
  currency: string;
  captureMethod: string;
  metadata: Record<string, string>;
  paymentMethod: string | null;
  charge: FakeCharge | null;
  /** Of the last try. */
  failure: { code: string; decline_code: string } | null;
  /** Of the last try: a decline takes the method off. */
  failedMethod?: string;
  /** Looks for which the fee is not known yet. */
  feeLooks: number;
}
interface FakeCharge {
  id: string;
  refunded: number;
  captured: number;
  disputed: boolean;
  created: number;
}
interface FakeRefund {
  id: string;
  charge: string;
  amount: number;
  currency: string;
  metadata: Record<string, string>;
  status: string;
  failure_reason?: string;
}
interface FakeTransfer {
  id: string;
  amount: number;
  currency: string;
  destination: string;
  metadata: Record<string, string>;
  transfer_group: string;
  reversed: boolean;
}
export interface FakeDispute {
  id: string;
  charge: string;
  payment_intent: string;
  amount: number;
  currency: string;
  status: string;
  reason: string;
  created: number;
  balance_transactions: { amount: number; fee: number; currency: string }[];
  evidence_details: { due_by: number | null };
}
interface Line {
  readonly id: string;
  readonly type: string;
  readonly created: number;
  readonly amount: number;
  readonly fee: number;
  readonly currency: string;
  readonly source: () => object;
}

/** Cards that behave: by the PaymentMethod's id. */
const DECLINES: Readonly<Record<string, { code: string; decline_code: string }>> = {
  pm_funds: { code: 'card_declined', decline_code: 'insufficient_funds' },
  pm_declined: { code: 'card_declined', decline_code: 'generic_decline' },
  pm_stolen: { code: 'card_declined', decline_code: 'stolen_card' },
  pm_expired: { code: 'expired_card', decline_code: 'expired_card' },
};

export function createAccount(nowSeconds: () => number) {
  const intents = new Map<string, FakeIntent>();
  const refunds: FakeRefund[] = [];
  const disputes: FakeDispute[] = [];
  const transfers: FakeTransfer[] = [];
  const lines: Line[] = [];
  let n = 0;
  const id = (prefix: string): string => {
    n += 1;
    return `${prefix}_${String(n).padStart(6, '0')}`;
  };
  /** Fingerprints by PaymentMethod; null: it is no card. Each has one of its own unless it is said here. */
  const cards = new Map<string, string | null>();
  const methodView = (of: string): object => {
    const fingerprint = cards.has(of) ? cards.get(of) : `fp_${of}`;
    return fingerprint === null
      ? { object: 'payment_method', id: of, type: 'us_bank_account' }
      : { object: 'payment_method', id: of, type: 'card', card: { brand: 'visa', last4: '4242', fingerprint } };
  };
  const settings = {
    settlementCurrency: null as string | null,
    exchange: 1,
    accountClosed: false,
    balance: true,
    refundFails: false,
    /** Seconds until what was captured can be paid out. */
    availableAfter: 2 * 86_400,
  };

  function intentBy(of: string): FakeIntent {
    const intent = intents.get(of);
    if (!intent) throw invalid('resource_missing', 404);
    return intent;
  }
  const feeOf = (amount: number): number => Math.round(amount * 0.029);
  function balanceOf(intent: FakeIntent): object | null {
    if (intent.feeLooks > 0) return null;
    const amount = Math.round((intent.charge?.captured ?? 0) * settings.exchange);
    return {
      object: 'balance_transaction',
      id: `txn_${intent.id}`,
      amount,
      fee: feeOf(amount),
      currency: settings.settlementCurrency ?? intent.currency,
    };
  }
  const chargeView = (intent: FakeIntent, charge: FakeCharge, expanded: boolean): object => ({
    object: 'charge',
    id: charge.id,
    amount: intent.amount,
    amount_captured: charge.captured,
    amount_refunded: charge.refunded,
    disputed: charge.disputed,
    currency: intent.currency,
    metadata: intent.metadata,
    payment_intent: intent.id,
    balance_transaction: expanded ? balanceOf(intent) : `txn_${intent.id}`,
  });
  function intentView(intent: FakeIntent, expand: readonly string[]): object {
    if (intent.charge && expand.length > 0 && intent.feeLooks > 0) intent.feeLooks -= 1;
    return {
      object: 'payment_intent',
      id: intent.id,
      status: intent.status,
      amount: intent.amount,
      amount_received: intent.status === 'succeeded' ? (intent.charge?.captured ?? 0) : 0,
      currency: intent.currency,
      capture_method: intent.captureMethod,
      metadata: { ...intent.metadata },
      latest_charge:
        intent.charge &&
        (expand.includes('latest_charge.balance_transaction')
          ? chargeView(intent, intent.charge, true)
          : intent.charge.id),
      last_payment_error: intent.failure && {
        ...intent.failure,
        ...(intent.failedMethod === undefined ? {} : { payment_method: methodView(intent.failedMethod) }),
      },
      payment_method:
        intent.paymentMethod !== null && expand.includes('payment_method')
          ? methodView(intent.paymentMethod)
          : intent.paymentMethod,
    };
  }
  function capture(intent: FakeIntent): void {
    const charge = intent.charge ?? { id: id('ch'), refunded: 0, captured: 0, disputed: false, created: nowSeconds() };
    Object.assign(intent, { charge, status: 'succeeded' });
    charge.captured = intent.amount;
    const amount = Math.round(charge.captured * settings.exchange);
    lines.push({
      id: id('txn'),
      type: 'charge',
      created: nowSeconds(),
      amount,
      fee: feeOf(amount),
      currency: settings.settlementCurrency ?? intent.currency,
      source: () => chargeView(intent, charge, false),
    });
  }
  function confirm(intent: FakeIntent): void {
    if (intent.status !== 'requires_confirmation') throw invalid('payment_intent_unexpected_state');
    const failure = DECLINES[intent.paymentMethod ?? ''];
    if (failure) {
      const failedMethod = intent.paymentMethod;
      Object.assign(intent, { status: 'requires_payment_method', failure, failedMethod, paymentMethod: null });
      throw new StripeRefusal(402, { type: 'card_error', message: 'Your card was declined.', ...failure });
    }
    if (intent.paymentMethod === 'pm_3ds') intent.status = 'requires_action';
    else if (intent.captureMethod === 'manual') {
      Object.assign(intent, {
        status: 'requires_capture',
        charge: { id: id('ch'), refunded: 0, captured: 0, disputed: false, created: nowSeconds() },
      });
    } else capture(intent);
  }

  const metadataOf = (form: Form): Record<string, string> =>
    Object.fromEntries(
      [...form].flatMap(([name, value]) => {
        const key = /^metadata\[(.+)\]$/.exec(name)?.[1];
        return key === undefined ? [] : [[key, value]];
      }),
    );
  const expandOf = (form: Form): string[] =>
    [...form].filter(([name]) => name.startsWith('expand[')).map(([, value]) => value);
  const list = (data: readonly object[], more = false): object => ({ object: 'list', data, has_more: more });
  const number = (form: Form, name: string): number => Number(form.get(name));

  const account = {
    intents,
    cards,
    refunds,
    disputes,
    transfers,
    lines,
    settings,
    /** As somebody else would have made it. */
    seed(intent: Partial<FakeIntent> & { readonly id: string }): FakeIntent {
      const made: FakeIntent = {
        status: 'requires_confirmation',
        amount: 100_000,
        currency: 'aed',
        captureMethod: 'automatic',
        metadata: {},
        paymentMethod: 'pm_card',
        charge: null,
        failure: null,
        feeLooks: 0,
        ...intent,
      };
      intents.set(made.id, made);
      if (made.status === 'succeeded') capture(made);
      if (made.status === 'requires_capture')
        made.charge = { id: id('ch'), refunded: 0, captured: 0, disputed: false, created: nowSeconds() };
      return made;
    },
    createIntent(form: Form): object {
      const reference = form.get('payment_method') ?? '';
      if (reference === 'pm_missing') throw invalid('resource_missing');
      const intent = account.seed({
        id: id('pi'),
        amount: number(form, 'amount'),
        currency: form.get('currency') ?? '',
        metadata: metadataOf(form),
        paymentMethod: reference,
        captureMethod: form.get('capture_method') ?? 'automatic_async',
      });
      return intentView(intent, expandOf(form));
    },
    getMethod(of: string): object {
      if (of === 'pm_missing') throw invalid('resource_missing', 404);
      return methodView(of);
    },
    getIntent: (of: string, form: Form): object => intentView(intentBy(of), expandOf(form)),
    updateIntent(of: string, form: Form): object {
      const intent = intentBy(of);
      Object.assign(intent.metadata, metadataOf(form));
      return intentView(intent, expandOf(form));
    },
    moveIntent(of: string, move: string, form: Form): object {
      const intent = intentBy(of);
      if (move === 'confirm') confirm(intent);
      else if (move === 'capture') {
        if (intent.status !== 'requires_capture') throw invalid('payment_intent_unexpected_state');
        capture(intent);
      } else {
        if (['succeeded', 'canceled', 'processing'].includes(intent.status))
          throw invalid('payment_intent_unexpected_state');
        intent.status = 'canceled';
      }
      return intentView(intent, expandOf(form));
    },
    searchIntents(form: Form): object {
      const key = /^metadata\['key'\]:'(.*)'$/.exec(form.get('query') ?? '')?.[1];
      if (key === undefined) throw invalid('parameter_invalid');
      const expand = expandOf(form).map((field) => field.replace(/^data\./, ''));
      return {
        ...list(
          [...intents.values()]
            .filter(({ metadata }) => metadata['key'] === key)
            .map((intent) => intentView(intent, expand)),
        ),
        object: 'search_result',
      };
    },
    createRefund(form: Form): object {
      const of = form.get('charge') ?? form.get('payment_intent');
      const intent = [...intents.values()].find(({ id: one, charge }) => one === of || charge?.id === of);
      if (!intent?.charge) throw invalid('resource_missing', 404);
      const { charge, currency } = intent;
      const left = charge.captured - charge.refunded;
      if (left === 0) throw invalid('charge_already_refunded');
      const amount = form.has('amount') ? number(form, 'amount') : left;
      if (amount > left)
        throw new StripeRefusal(400, {
          type: 'invalid_request_error',
          message: 'Refund amount is greater than unrefunded amount',
        });
      const failed = settings.refundFails
        ? { status: 'failed', failure_reason: 'expired_or_canceled_card' }
        : { status: 'succeeded' };
      const refund = {
        object: 'refund',
        id: id('re'),
        charge: charge.id,
        payment_intent: intent.id,
        amount,
        currency,
        metadata: metadataOf(form),
        ...failed,
      };
      refunds.push(refund);
      if (!settings.refundFails) charge.refunded += amount;
      lines.push({
        id: id('txn'),
        type: 'refund',
        created: nowSeconds(),
        amount: -amount,
        fee: 0,
        currency,
        source: () => refund,
      });
      return refund;
    },
    listRefunds(form: Form): object {
      const newestFirst = refunds.filter(({ charge }) => charge === form.get('charge')).toReversed();
      const after = form.get('starting_after');
      const rest =
        after === undefined
          ? newestFirst
          : newestFirst.slice(newestFirst.findIndex(({ id: one }) => one === after) + 1);
      const limit = number(form, 'limit');
      return list(rest.slice(0, limit), rest.length > limit);
    },
    /** As a bank would open it; an inquiry (`warning_needs_response`) takes nothing. */
    openDispute(of: string, more: Partial<FakeDispute> = {}): FakeDispute {
      const intent = intentBy(of);
      const { charge, currency } = intent;
      if (!charge) throw invalid('resource_missing', 404);
      const dispute = {
        object: 'dispute',
        id: id('dp'),
        charge: charge.id,
        payment_intent: of,
        amount: charge.captured,
        currency,
        status: 'needs_response',
        reason: 'fraudulent',
        created: nowSeconds(),
        balance_transactions: [],
        evidence_details: { due_by: nowSeconds() + 7 * 86_400 },
        ...more,
      };
      disputes.push(dispute);
      charge.disputed = true;
      return dispute;
    },
    listDisputes(form: Form): object {
      const from = Number(form.get('created[gte]') ?? 0);
      const to = Number(form.get('created[lt]') ?? 1e12);
      const charge = form.get('charge');
      return list(
        disputes
          .filter((one) => (charge === undefined || one.charge === charge) && one.created >= from && one.created < to)
          .toReversed(),
      );
    },
    createTransfer(form: Form): object {
      if (settings.accountClosed)
        throw new StripeRefusal(403, {
          type: 'invalid_request_error',
          code: 'account_invalid',
          message: 'no such account',
        });
      if (!settings.balance) throw invalid('balance_insufficient');
      const transfer = {
        object: 'transfer',
        id: id('tr'),
        amount: number(form, 'amount'),
        currency: form.get('currency') ?? '',
        destination: form.get('destination') ?? '',
        metadata: metadataOf(form),
        transfer_group: form.get('transfer_group') ?? '',
        reversed: false,
      };
      transfers.push(transfer);
      lines.push({
        id: id('txn'),
        type: 'transfer',
        created: nowSeconds(),
        amount: -transfer.amount,
        fee: 0,
        currency: transfer.currency,
        source: () => transfer,
      });
      return transfer;
    },
    listTransfers: (form: Form): object =>
      list(
        transfers.filter(
          ({ transfer_group, destination }) =>
            transfer_group === form.get('transfer_group') && destination === form.get('destination'),
        ),
      ),
    listBalance(form: Form): object {
      const from = number(form, 'created[gte]');
      const to = number(form, 'created[lt]');
      const newestFirst = lines
        .filter(
          ({ created, type }) => created >= from && created < to && (!form.has('type') || form.get('type') === type),
        )
        .toReversed();
      const after = form.get('starting_after');
      const rest =
        after === undefined ? newestFirst : newestFirst.slice(newestFirst.findIndex((line) => line.id === after) + 1);
      const limit = number(form, 'limit');
      return list(
        rest.slice(0, limit).map((line) => ({
          object: 'balance_transaction',
          ...line,
          status: line.created + settings.availableAfter <= nowSeconds() ? 'available' : 'pending',
          source: line.source(),
        })),
        rest.length > limit,
      );
    },
  };
  return account;
}
export type FakeAccount = ReturnType<typeof createAccount>;
