import type { Amenities, PaymentGateway, Ports } from '../domain/ports.ts';
import { InvariantError } from '../kernel/errors.ts';
import { toMajor } from '../kernel/money.ts';

/** The other systems of a rehearsal: they note what they are asked, ask nobody, and answer as when all goes well. */

/** What would be asked of another system. */
export interface ForeseenCall {
  /** The gateway, or the device; of a step with a foresight of its own, the step. */
  readonly to: string;
  readonly act: string;
  /** Major units; null: it is about no amount. */
  readonly amount: number | null;
  readonly currency: string | null;
  /** The end of the reference or account that it is about; null: it names none. */
  readonly about: string | null;
}
export interface Noted {
  call(call: ForeseenCall): void;
  /**
   * A code: of the saga's own answer, or of what was taken for granted, as only somebody else knows it. `CARD_NOT_ASKED`: whose card
   * it is, and so what the fraud rules say; `FEE_NOT_KNOWN`: what the gateway keeps; `CODE_NOT_KNOWN`: whether the device has a
   * code; `WAIT_FORESEEN`: the answer to a wait.
   */
  warn(code: string): void;
}

/** Stands for an id that only the other system can give. */
const FORESEEN_ID = 'foreseen';
const FORESEEN_CODE = '000000';
const SHOWN = 4;
/** Four of its characters, so that a person knows it again. */
const masked = (text: string): string => `…${text.slice(-SHOWN)}`;

/** Ports that call nobody. Which gateways there are, and which amounts they take, they know from the real ones. */
export function rehearsalPorts(real: Ports, noted: Noted): Ports {
  return {
    amenities: devices(noted),
    gatewayIds: real.gatewayIds,
    gateway: (gatewayId) => gateway(gatewayId, real.gateway(gatewayId), noted),
    payouts: (account) => gateway('payouts', real.payouts(account), noted),
    amountStep: (at, currency) => real.amountStep(at, currency),
  };
}

interface Asked {
  readonly amountMinor: number;
  readonly currency: string;
}

function gateway(to: string, real: PaymentGateway, noted: Noted): PaymentGateway {
  const note = (act: string, { amountMinor, currency }: Asked, about: string): void =>
    noted.call({ to, act, amount: toMajor({ amountMinor, currency }), currency, about: masked(about) });
  const feeOf = real.feeOf?.bind(real);
  const never = async (): Promise<never> => {
    throw new InvariantError('no saga asks a gateway for its record');
  };
  return {
    ...(feeOf ? { feeOf } : {}),
    charge: async (request) => {
      const { amountMinor, currency, reference } = request;
      note('charge', request, reference);
      if (!feeOf) noted.warn('FEE_NOT_KNOWN');
      return { providerId: FORESEEN_ID, amountMinor, currency, feeMinor: feeOf?.(amountMinor) ?? 0 };
    },
    undoCharge: async (request) => {
      note('undo-charge', request, request.reference);
      return { outcome: 'nothing' };
    },
    refund: async (request) => {
      note('refund', request, request.reference);
      return { done: true, providerId: FORESEEN_ID };
    },
    payOut: async (request) => {
      note('pay-out', request, request.account);
      return { done: true, providerId: FORESEEN_ID };
    },
    cardOf: async () => {
      noted.warn('CARD_NOT_ASKED');
      return null;
    },
    recordOf: async () => ({ refunds: [], disputes: [] }),
    disputes: never,
    movements: never,
  };
}

function devices(noted: Noted): Amenities {
  const note = (act: string, device: string): void =>
    noted.call({ to: device, act, amount: null, currency: null, about: null });
  return {
    activate: async ({ device }) => {
      note('activate', device);
      noted.warn('CODE_NOT_KNOWN');
      return { providerId: FORESEEN_ID, accessCode: FORESEEN_CODE };
    },
    changePeriod: async ({ device }) => note('change-period', device),
    deactivate: async ({ device }) => {
      note('deactivate', device);
      return { outcome: 'deactivated' };
    },
    grantsOf: async () => [],
  };
}
