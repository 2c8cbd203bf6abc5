import { z } from 'zod';
import { apiUrl, parts } from '../environment.ts';
import { paymentProvider } from '../payment-provider.ts';
import type { StripeSettings } from './gateway.ts';
import { stepOf } from './units.ts';

export interface StripeProviderSettings extends StripeSettings {
  /** Signing secrets of the webhook; two during a change. Without any Stripe is not to call us. */
  readonly webhookSecrets: readonly string[];
}

const ID = 'stripe';
/** Stripe's ids of connected accounts. */
const ACCOUNT = 'acct_';

const webhookSecrets = z
  .string()
  .transform(parts)
  .refine((secrets) => secrets.every((secret) => /^whsec_\S{16,}$/.test(secret)), 'must be whsec_...[,whsec_...]');

export const stripePayments = paymentProvider({
  id: ID,
  neededVariable: 'STRIPE_SECRET_KEY',
  environment: () =>
    z.object({
      STRIPE_SECRET_KEY: z
        .string()
        .regex(/^(?:sk|rk)_(?:test|live)_\w{8,}$/, 'must be sk_test_..., sk_live_... or a restricted rk_... key')
        .optional()
        .describe('Secret key, or better a restricted one'),
      STRIPE_WEBHOOK_SECRET: webhookSecrets.default([]).describe('Signing secrets of the webhook'),
      STRIPE_API_URL: apiUrl.optional().describe('Only for a stand-in of the API'),
    }),
  settings: (environment): StripeProviderSettings => ({
    // The configuration refuses a provider that is on without its `neededVariable`.
    secretKey: environment.STRIPE_SECRET_KEY ?? '',
    webhookSecrets: environment.STRIPE_WEBHOOK_SECRET,
    apiUrl: environment.STRIPE_API_URL ?? null,
  }),
  // Its library has 200 files, which a program without it need not read.
  create: async (settings, parts) => {
    const [{ createStripeGateway }, { stripeWebhook }] = await Promise.all([
      import('./gateway.ts'),
      import('./webhook.ts'),
    ]);
    return {
      gateway: createStripeGateway(settings, parts),
      gatewayIds: [ID],
      accepts: (account) => account.startsWith(ACCOUNT),
      amountStep: stepOf,
      webhook: settings.webhookSecrets.length > 0 ? stripeWebhook(settings.webhookSecrets, parts.clock) : null,
    };
  },
});
