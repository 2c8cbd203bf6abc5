/** The text above the operations. */

export const ABOUT = `Every step of a confirmation, a payment, a cancellation, a refund or a payout takes effect exactly once, or all of them are undone in reverse order.

**Answers.** A success is \`{success: true, data, message?}\`; a list adds \`nextCursor\`, which is null on the last page. A failure is \`{success: false, error, code, requestId, details?}\`: act on \`code\`, show \`error\` to people, and name \`requestId\` when you ask for help. Send \`Accept: application/problem+json\` to get failures as RFC 9457. New fields may be added to answers at any time; ignore those that you do not know.

**Money.** Amounts are in major units: \`1000\` with \`AED\` is AED 1,000.00. Send a number, or a decimal text where a number would lose digits. No more decimals than the currency has (AED 2, KWD 3, JPY 0).

**Times.** Instants are ISO 8601 with an offset and come back in UTC. A date without a time is a whole day on the property’s clock, or the agency’s where there is no property.

**Once only.** Send an \`Idempotency-Key\` with every change. A repeat with the same key and the same request gets the recorded answer and \`Idempotency-Replayed: true\`; with another request it is refused with 422 \`IDEMPOTENCY_KEY_REUSED\`.

**Changes.** Records have a version. Send the \`ETag\` that was read as \`If-Match\`, and a change in between is refused with 412.

**Limits.** Callers have so many reads, changes and payments a minute, and so many processes open at a time; service clients have more. \`RateLimit-Policy\` and \`RateLimit\` say on each answer what counts and what is left. One request too many is 429 with \`Retry-After\`, and nothing was done.

**Who is who.** A token names a person with one role, or a service client with scopes. What a caller may not see does not exist for it: it is 404, not 403.`;

export const TOKENS =
  'A program sends an API key (`rk_live_...`, made by `createApiKey`). Everybody else sends a JWT, signed with a key of the installation (EdDSA or ES256; the public keys are at `/.well-known/jwks.json`) or of a provider that it trusts, with `sub`, `exp` at most an hour ahead, and either `role` (`ADMIN`, `AGENT`, `FINANCE`, `OPS`, `OWNER`, `CLEANER`, `MAINTENANCE_STAFF`, `GUEST`) or `scope` for a service client. Each operation says who may call it. For trying out: `npm run -s token -- --role ADMIN --sub admin-1`.';

export const TAGS: readonly { readonly name: string; readonly description: string }[] = [
  {
    name: 'Reservations',
    description: 'Stays from the request to the departure: confirm, check in, check out, pay, cancel.',
  },
  {
    name: 'Transactions',
    description: 'Payments, payouts, fees and refunds, and the two things that people do with them.',
  },
  {
    name: 'Finance',
    description: 'Sums of the ledger, what owners are owed, how income is shared, and whether all of it agrees.',
  },
  {
    name: 'Approvals',
    description: 'What a second person must approve before money moves, and how much one person may decide alone.',
  },
  {
    name: 'Sagas',
    description: 'Business processes as they run: how far they are, what failed, and what waits for a person.',
  },
  {
    name: 'Analytics',
    description: 'How the business does: conversion, payments, work in time, satisfaction, and how long owners wait.',
  },
  { name: 'My work', description: 'For those who do the work: their own tasks and their calendar.' },
  {
    name: 'Tasks',
    description: 'Cleaning, meetings, inspections and repairs, who does them, and what comes back regularly.',
  },
  {
    name: 'Operations',
    description:
      'What work by the clock could not do because of a row itself: found, and tried again once it is mended.',
  },
  {
    name: 'Notifications',
    description: 'Mails and SMS: what was sent and why, what it says, and who does not want it.',
  },
  { name: 'Events', description: 'The feed of everything that happens, to be read or listened to.' },
  {
    name: 'Webhooks',
    description: 'Addresses that are called when something happens, and those at which providers call us.',
  },
  { name: 'API keys', description: 'How programs prove who they are: named, scoped, ending, and shown once.' },
  { name: 'Properties', description: 'What is rented out, with its clock, its checklists and its agents.' },
  { name: 'Guests', description: 'Who stays, with language and clock.' },
  { name: 'Owners', description: 'Whose the properties are, and how they are paid out.' },
  { name: 'Staff', description: 'Who does the work: role, skills, shifts and leave.' },
  { name: 'Accounts', description: 'Who can sign in: invitations, roles, deactivation, sessions.' },
  { name: 'Audit', description: 'Who did what and when, in a chain of hashes that shows every later change.' },
  { name: 'Health', description: 'For supervisors and load balancers.' },
];
