import type { PaymentProvider } from './payment-provider.ts';
import { sandboxPayments } from './sandbox/provider.ts';
import { stripePayments } from './stripe/provider.ts';

/** Every payment provider there is (docs/add-a-gateway.md). In this order their gateway ids are told, and ids are looked for. */
export const PAYMENT_PROVIDERS: readonly PaymentProvider[] = [sandboxPayments, stripePayments];
