/**
 * Pages of people who are signed in, or about to be: no bearer token opens them. What is sent there carries its own proof, a link's
 * secret or a session's cookie, and each looks at the role itself.
 */
export const PAGE_POLICIES = {
  'GET /sign-in': 'anonymous',
  'POST /sign-in': 'anonymous',
  'POST /sign-in/demo': 'anonymous',
  'GET /sign-in/:token': 'anonymous',
  'POST /sign-in/:token': 'anonymous',
  'GET /invitations/:token': 'anonymous',
  'POST /invitations/:token': 'anonymous',
  'GET /account': 'anonymous',
  'GET /account/second-factor': 'anonymous',
  'POST /account/second-factor': 'anonymous',
  'POST /account/sessions/:id/end': 'anonymous',
  'POST /account/operations': 'anonymous',
  'POST /sign-out': 'anonymous',
  'POST /sign-out/everywhere': 'anonymous',
  'POST /session/token': 'anonymous',
  'GET /owner': 'anonymous',
  'GET /passkeys/:file': 'anonymous',
  'POST /passkeys/options': 'anonymous',
  'POST /passkeys/sign-in': 'anonymous',
  'POST /account/passkeys/options': 'anonymous',
  'POST /account/passkeys': 'anonymous',
  'POST /account/passkeys/:id/name': 'anonymous',
  'POST /account/passkeys/:id/removal': 'anonymous',
  'POST /oidc': 'anonymous',
  // The cookie of the browser that began it is the proof, once.
  'GET /oidc/callback': 'anonymous',
  'POST /account/identity': 'anonymous',
  'POST /account/identity/removal': 'anonymous',
  // The console: who may read a page, and do what it offers, is asked of the policies of the API.
  'GET /console': 'anonymous',
  'POST /console/language': 'anonymous',
  'GET /console/incidents': 'anonymous',
  'GET /console/incidents/:id': 'anonymous',
  'POST /console/incidents/:id/close': 'anonymous',
  'POST /console/incidents/:id/mute': 'anonymous',
  'POST /console/incidents/:id/retry': 'anonymous',
  'POST /console/incidents/:id/resolve': 'anonymous',
} as const;
