import { API, type OperationTexts, PAGED, PORTFOLIO, VERSIONED } from './kinds.ts';

const STAFF = `${API}/staff`;

export const PEOPLE: OperationTexts = {
  [`GET ${API}/properties`]: { id: 'listProperties', text: `Properties by owner or region. ${PAGED} ${PORTFOLIO}` },
  [`POST ${API}/properties`]: {
    id: 'createProperty',
    text: 'Adds a property of an owner that exists (`REFERENCE_NOT_FOUND`). All times of its stays and tasks are on the clock of its `timeZone`. An agent that adds one has it in its portfolio.',
  },
  [`GET ${API}/properties/:id`]: {
    id: 'getProperty',
    text: `The property, whether it is ready for a guest (\`readiness\`), and how its stays are handled. The \`ETag\` is what a change sends as \`If-Match\`. ${PORTFOLIO}`,
  },
  [`PATCH ${API}/properties/:id`]: {
    id: 'updateProperty',
    text: `Changes the fields that are sent. New times or a new zone move tasks and reminders that are still to come. An agent cannot change \`agentIds\` or \`ownerId\` (403). ${VERSIONED}`,
  },
  [`GET ${API}/guests`]: { id: 'listGuests', text: `Guests. ${PAGED} An agent sees the guests of its portfolio.` },
  [`POST ${API}/guests`]: {
    id: 'createGuest',
    text: 'Adds a guest. `locale` decides the language of messages, `timeZone` the hours at which an SMS may come. A phone number is needed for SMS.',
  },
  [`GET ${API}/guests/:id`]: { id: 'getGuest', text: 'Answers the guest. An agent sees the guests of its portfolio.' },
  [`PATCH ${API}/guests/:id`]: {
    id: 'updateGuest',
    text: `Changes the fields that are sent; messages that are still to come use them. ${VERSIONED}`,
  },
  [`GET ${API}/owners`]: { id: 'listOwners', text: `Owners of properties. ${PAGED}` },
  [`POST ${API}/owners`]: {
    id: 'createOwner',
    text: 'Adds an owner. `payoutAccount` and `payoutTerms` say how it is paid out where that differs from the general terms; amounts in them are major units.',
  },
  [`GET ${API}/owners/:id`]: {
    id: 'getOwner',
    text: 'Answers the owner. The account and the terms of payouts are shown to ADMIN and FINANCE only.',
  },
  [`PATCH ${API}/owners/:id`]: {
    id: 'updateOwner',
    text: `Changes the fields that are sent. \`payoutTerms\` are replaced as a whole; null gives the general terms back. ${VERSIONED}`,
  },
  [`GET ${STAFF}`]: { id: 'listStaff', text: `People who do the work, by role and whether they are active. ${PAGED}` },
  [`POST ${STAFF}`]: {
    id: 'createStaff',
    text: 'Adds a person who does tasks. The `id` is the subject (`sub`) of the tokens that this person signs in with. Shifts, skills, properties and the daily limit decide which tasks are assigned.',
  },
  [`GET ${STAFF}/:id`]: {
    id: 'getStaff',
    text: 'Answers the staff member. The `ETag` is what a change sends as `If-Match`.',
  },
  [`PATCH ${STAFF}/:id`]: {
    id: 'updateStaff',
    text: `Changes the fields that are sent. Somebody who leaves (\`active: false\`) or changes role gives open tasks back, and others are looked for. ${VERSIONED}`,
  },
  [`GET ${STAFF}/:id/leave`]: { id: 'listStaffLeave', text: `Times at which this person does not work. ${PAGED}` },
  [`POST ${STAFF}/:id/leave`]: {
    id: 'createStaffLeave',
    text: 'Adds leave from one instant to another. Tasks that fall into it are given to others; `releasedTaskIds` names them.',
  },
  [`DELETE ${STAFF}/:id/leave/:leaveId`]: {
    id: 'deleteStaffLeave',
    text: 'Takes leave back and answers it. Tasks that were given to others stay with them.',
  },
};
