import type { PaymentProvider } from './payment-provider.ts';
import { sandboxPayments } from './sandbox/provider.ts';
import { stripePayments } from './stripe/provider.ts';

/** Every payment provider there is (docs/add-a-gateway.md). Their gateway ids are listed, and looked for, in this order. */
export const PAYMENT_PROVIDERS: readonly PaymentProvider[] = [sandboxPayments, stripePayments];
