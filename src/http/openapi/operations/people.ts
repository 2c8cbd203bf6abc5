import { API, OLDEST_FIRST, type OperationTexts, PAGED, PORTFOLIO, VERSIONED } from './kinds.ts';

const STAFF = `${API}/staff`;
const ACCOUNTS = `${API}/accounts`;

export const PEOPLE: OperationTexts = {
  [`GET ${API}/properties`]: { id: 'listProperties', text: `Properties by owner or region. ${PAGED} ${PORTFOLIO}` },
  [`POST ${API}/properties`]: {
    id: 'createProperty',
    text: 'Adds a property of an owner that exists (`REFERENCE_NOT_FOUND`); an agent adds to owners of its portfolio only. All times of its stays and tasks are on the clock of its `timeZone`. An agent that adds one has it in its portfolio. `agentIds` and `amenityDevice` are an administrator’s to send (403); a device is of one property (`DEVICE_IN_USE`).',
  },
  [`GET ${API}/properties/:id`]: {
    id: 'getProperty',
    text: `The property, whether it is ready for a guest (\`readiness\`), and how its stays are handled. The \`ETag\` is what a change sends as \`If-Match\`. ${PORTFOLIO}`,
  },
  [`GET ${API}/properties/:id/timeline`]: {
    id: 'listPropertyTimeline',
    text: `The records of the property, each where it was made: stays, sagas and who asked for them, tasks, transactions, messages, and changes of the property itself. What became of a stay is in its own timeline. ${OLDEST_FIRST} ${PORTFOLIO}`,
  },
  [`GET ${API}/owners/:id/timeline`]: {
    id: 'listOwnerTimeline',
    text: `The transactions of the owner with their rules, the messages to the owner, what a second person was asked, and changes of the record. An agent sees what belongs to its portfolio. ${OLDEST_FIRST}`,
  },
  [`GET ${STAFF}/:id/timeline`]: {
    id: 'listStaffTimeline',
    text: `The tasks that the member of staff has, with the scores by which they were given, the messages to that person, and changes of the record. An agent sees what belongs to its portfolio. ${OLDEST_FIRST}`,
  },
  [`PATCH ${API}/properties/:id`]: {
    id: 'updateProperty',
    text: `Changes the fields that are sent. New times or a new zone move tasks and reminders that are still to come. An agent cannot change \`agentIds\`, \`ownerId\` or \`amenityDevice\` (403). A device is of one property (\`DEVICE_IN_USE\`). ${VERSIONED}`,
  },
  [`GET ${API}/guests`]: {
    id: 'listGuests',
    text: `Guests. ${PAGED} An agent sees the guests of its portfolio, and those whom it has added.`,
  },
  [`GET ${API}/api-keys`]: {
    id: 'listApiKeys',
    text: `Every API key, also those that were revoked or have ended, by their \`prefix\`; what a key is cannot be read again. A key goes on without who made it: \`maker\` says how they stand now. ${PAGED}`,
  },
  [`POST ${API}/api-keys`]: {
    id: 'createApiKey',
    text: 'Makes a key for one program. It does what its scopes say and nothing else, and ends at `expiresAt`, a year from now at the latest. `key` is shown in this answer only: keep it where you keep secrets. Without a scope that an operation asks for, a call is refused with 403.',
  },
  [`GET ${API}/api-keys/:id`]: {
    id: 'getApiKey',
    text: 'What a key may do, until when, who made it and when it was last used, to the minute. The key itself is stored as a digest, and cannot be shown again.',
  },
  [`DELETE ${API}/api-keys/:id`]: {
    id: 'revokeApiKey',
    text: 'Ends the key for good: calls with it are refused with 401 within 30 seconds, on every server. What it has done stays in the audit trail under `service:<id>`.',
  },
  [`POST ${API}/api-keys/:id/rotate`]: {
    id: 'rotateApiKey',
    text: 'Answers a new key with the same scopes and another end; the old one is refused within 30 seconds. The id stays, and with it what the program has started. To change keys without a gap make a second key first, and revoke the old one. A revoked key stays revoked (409 `INVALID_STATE_TRANSITION`).',
  },
  [`POST ${API}/guests`]: {
    id: 'createGuest',
    text: 'Adds a guest. `locale` decides the language of messages, `timeZone` the hours at which an SMS may come. A phone number is needed for SMS.',
  },
  [`GET ${API}/guests/:id`]: {
    id: 'getGuest',
    text: 'Answers the guest. An agent sees the guests of its portfolio, and those whom it has added.',
  },
  [`PATCH ${API}/guests/:id`]: {
    id: 'updateGuest',
    text: `Changes the fields that are sent; messages that are still to come use them. ${VERSIONED}`,
  },
  [`GET ${API}/owners`]: {
    id: 'listOwners',
    text: `Owners of properties; an agent sees those of its portfolio. ${PAGED}`,
  },
  [`POST ${API}/owners`]: {
    id: 'createOwner',
    text: 'Adds an owner. `payoutAccount` and `payoutTerms` say how it is paid out where that differs from the general terms; amounts in them are major units.',
  },
  [`GET ${API}/owners/:id`]: {
    id: 'getOwner',
    text: 'Answers the owner. The account and the terms of payouts are shown to ADMIN, FINANCE and the owner only. An agent sees the owners of its portfolio.',
  },
  [`PATCH ${API}/owners/:id`]: {
    id: 'updateOwner',
    text: `Changes the fields that are sent. \`payoutTerms\` are replaced as a whole; null gives the general terms back. Payouts to another \`payoutAccount\` wait; if a second person refuses it, the one that was in force before is back. ${VERSIONED}`,
  },
  [`GET ${STAFF}`]: {
    id: 'listStaff',
    text: `People who do the work, by role and whether they are active; an agent sees who can work in its portfolio. ${PAGED}`,
  },
  [`POST ${STAFF}`]: {
    id: 'createStaff',
    text: 'Adds a person who does tasks. The `id` is the subject (`sub`) of the tokens that this person signs in with. Shifts, skills, properties and the daily limit decide which tasks are assigned.',
  },
  [`GET ${STAFF}/:id`]: {
    id: 'getStaff',
    text: 'Answers the staff member, to an agent those who can work in its portfolio. The `ETag` is what a change sends as `If-Match`.',
  },
  [`PATCH ${STAFF}/:id`]: {
    id: 'updateStaff',
    text: `Changes the fields that are sent. Somebody who leaves (\`active: false\`) or changes role gives open tasks back, and others are looked for. ${VERSIONED}`,
  },
  [`GET ${STAFF}/:id/leave`]: { id: 'listStaffLeave', text: `Times at which this person does not work. ${PAGED}` },
  [`POST ${STAFF}/:id/leave`]: {
    id: 'createStaffLeave',
    text: 'Adds leave from one instant to another. Tasks that fall into it are given to others; `releasedTaskIds` names them. An agent enters its own leave and that of who cleans and repairs in its portfolio; any other person does not exist for it (404).',
  },
  [`DELETE ${STAFF}/:id/leave/:leaveId`]: {
    id: 'deleteStaffLeave',
    text: 'Takes leave back and answers it. Tasks that were given to others stay with them.',
  },
  [`GET ${ACCOUNTS}`]: { id: 'listAccounts', text: `Who can sign in, by role and status. ${PAGED}` },
  [`POST ${ACCOUNTS}`]: {
    id: 'inviteAccount',
    text: 'Makes an account and mails its link, which opens once and for seven days. The role decides which record it needs: `staffId` of the same role, `ownerId`, `guestId`, or none for ADMIN, FINANCE and OPS. `ALREADY_EXISTS`: the address or the record has an account.',
  },
  [`GET ${ACCOUNTS}/:id`]: {
    id: 'getAccount',
    text: 'Answers the account, and nothing by which somebody could sign in. The `ETag` is what a change sends as `If-Match`.',
  },
  [`PATCH ${ACCOUNTS}/:id`]: {
    id: 'updateAccount',
    text: `Changes the fields that are sent. With another role or record all sessions end in the same transaction, and tokens of the old role are refused within a minute. Another \`email\` ends all sessions too, and every link and invitation that was sent; a mail tells the address before and the new one, and somebody who had not signed in yet is invited anew (\`resendInvitation\`). \`ALREADY_EXISTS\`: another account has the address. \`LAST_ADMIN\`: there must be an active administrator. ${VERSIONED}`,
  },
  [`POST ${ACCOUNTS}/:id/deactivate`]: {
    id: 'deactivateAccount',
    text: `Ends every session, link and invitation of the account in one transaction, and refuses it within a minute everywhere: tokens, pages, open streams, calendars, signed links. \`LAST_ADMIN\` for the last active administrator. ${VERSIONED}`,
  },
  [`POST ${ACCOUNTS}/:id/reactivate`]: {
    id: 'reactivateAccount',
    text: `Lets somebody who was deactivated ask for a link and sign in again. What was ended stays ended. ${VERSIONED}`,
  },
  [`POST ${ACCOUNTS}/:id/invitation`]: {
    id: 'resendInvitation',
    text: 'Mails a new invitation to somebody who has not signed in yet; the link before it ends. Refused with `INVALID_STATE_TRANSITION` for an account that is active or deactivated.',
  },
  [`DELETE ${ACCOUNTS}/:id/sessions`]: {
    id: 'endAccountSessions',
    text: 'Signs somebody out everywhere, and answers how many sessions ended. Tokens that were got for them are refused within a minute.',
  },
  [`DELETE ${ACCOUNTS}/:id/authenticator`]: {
    id: 'resetAccountAuthenticator',
    text: 'Forgets the authenticator app and the passkeys of an account, for somebody who has lost the phone. All sessions end, and links that are on their way; ADMIN, FINANCE and OPS set up a new one at the next sign-in.',
  },
  [`GET ${API}/me/sessions`]: {
    id: 'listMySessions',
    text: 'Where the caller is signed in: when, from which address, with which browser, and until when. Empty for a token without an account, which development alone accepts.',
  },
  [`DELETE ${API}/me/sessions/:id`]: {
    id: 'endMySession',
    text: 'Ends one session of the caller. Its tokens are refused within a minute. A session of somebody else does not exist (404).',
  },
  [`DELETE ${API}/me/sessions`]: {
    id: 'endMySessions',
    text: 'Signs the caller out everywhere, with this session too, and answers how many sessions ended.',
  },
};
