import type { Services } from '../context.ts';
import type { Register } from '../route.ts';
import { registerAccountPages } from './account-pages.ts';
import { registerIdentityProvider } from './oidc.ts';
import { registerPasskeys } from './passkeys.ts';
import { registerSignIn } from './sign-in.ts';

/** Every way to sign in, and the pages of somebody who has. */
export function registerWaysIn(register: Register, services: Services): void {
  registerSignIn(register, services);
  registerPasskeys(register, services);
  registerIdentityProvider(register, services);
  registerAccountPages(register, services);
}
