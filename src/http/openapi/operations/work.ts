import { API, type OperationTexts, PAGED, PORTFOLIO, REHEARSED, VERSIONED } from './kinds.ts';

const TASKS = `${API}/tasks`;
const OWN =
  'Staff see their own tasks, agents those of their portfolio, owners those at their properties; any other task does not exist for them (404).';
const BY_STAFF_LINK =
  'The address stands in a mail to the person who is asked and holds a secret token; it is meant for a browser.';
const BY_LINK = 'The address stands in a mail to the owner and holds a secret token; it is meant for a browser.';

export const WORK: OperationTexts = {
  [`GET ${TASKS}`]: {
    id: 'listTasks',
    text: `Finds tasks by reservation, property, assignee, status, type or scheduled time. What life has overtaken (\`OVERTAKEN\`: the guest has arrived, or left, without it) is found by that status or by its reservation. ${PAGED} ${PORTFOLIO}`,
  },
  [`POST ${TASKS}`]: {
    id: 'createTask',
    text: 'Adds a task by hand; those of a stay are made by its sagas. It is assigned automatically, or at once with `requireAssignment`, which refuses with `NO_STAFF_AVAILABLE` and other times when nobody can take it. A repair whose `estimate` is over the property’s limit waits for the owner’s approval. An emergency may block nights of the calendar (`blockCalendar`).',
  },
  [`GET ${TASKS}/statistics`]: {
    id: 'getTaskStatistics',
    text: 'Counts of tasks by status, type and assignee, how many are overdue, the average minutes of work, and the share that was done in time (of what is done, or should be by now). A task counts in the period by when it must be done, which a list’s `from` and `to` compare with when it begins. Without a period it is the last 30 days. Staff get their own figures, owners those of their properties, agents those of their portfolio.',
  },
  [`GET ${TASKS}/:id`]: {
    id: 'getTask',
    text: `Answers the task. The \`ETag\` is what a change sends as \`If-Match\`. ${OWN}`,
  },
  [`PATCH ${TASKS}/:id`]: {
    id: 'updateTask',
    text: `Changes the fields that are sent; what a person has set by hand is not moved by later changes of the stay. An \`assigneeId\` must be free at that time (\`ASSIGNEE_BUSY\`), active (\`ASSIGNEE_INACTIVE\`) and of a role that does such tasks; null takes the task back. Another title or description of a repair that its owner was asked about asks the owner anew: the task is nobody’s until there is an answer. ${VERSIONED} ${REHEARSED}`,
  },
  [`POST ${TASKS}/:id/start`]: {
    id: 'startTask',
    text: `The assignee begins: status \`IN_PROGRESS\`, and the time counts from now, or from \`startedAt\`, which a phone that was offline sends. Refused with \`INVALID_STATE_TRANSITION\` for a task that is not \`ASSIGNED\`, or a cleaning whose guest has not left. ${REHEARSED}`,
  },
  [`POST ${TASKS}/:id/complete`]: {
    id: 'completeTask',
    text: `The assignee, an agent or a service client completes the task. Required items of the checklist must be done (\`CHECKLIST_INCOMPLETE\`); an inspection needs an \`outcome\`. \`minutes\` is the time of work, \`cost\` in major units. \`nextActions\` says what followed: the property is clean, a check-in was started, findings became repairs. Put photos first and name their ids here. ${REHEARSED}`,
  },
  [`POST ${TASKS}/:id/charge`]: {
    id: 'chargeTask',
    text: 'Charges the owner what a completed repair has cost, in major units, where nothing was charged or the question about it was refused or has expired. The rules are those of a completion with `chargeOwner`: `OWNER_CHARGED` where the owner has said yes to this text and an estimate that the cost keeps to, else `CHARGE_NEEDS_APPROVAL`, as always after a refusal. `INVALID_STATE_TRANSITION`: it is no completed repair, it is charged already, or its question is open.',
  },
  [`PUT ${TASKS}/:id/photos/:photoId`]: {
    id: 'putTaskPhoto',
    text: 'Adds a photo under an id that the client chooses: JPEG, PNG or WebP, at most 2 MiB, sent as the body. What a camera has written into it (place, time, device, previews) is left out, without a change of its pixels; it is turned as before. A picture that is not whole is `UNSUPPORTED_MEDIA_TYPE`. The same bytes again answer 200 and are stored once; other bytes under the same id are `ALREADY_EXISTS`.',
  },
  [`GET ${TASKS}/:id/photos/:photoId`]: {
    id: 'getTaskPhoto',
    text: `The bytes of a photo. They never change, so an \`ETag\` answers 304 to \`If-None-Match\`. ${OWN}`,
  },
  [`GET ${TASKS}/:id/assignment`]: {
    id: 'getTaskAssignment',
    text: `Who was looked at for this task, with scores by workload, way, familiarity and fairness, what ruled the others out, and who has declined or not answered, and how often. After no answer a person is asked again once nobody else is left (\`round\` 2). ${OWN}`,
  },
  [`POST ${TASKS}/:id/accept`]: {
    id: 'acceptTask',
    text: `The assignee accepts a task that must be accepted by a certain time (\`acceptBy\`), after which it is \`OFFER_EXPIRED\`. An administrator may do it in the assignee’s place, also later, while the task is still that person’s. Refused with \`INVALID_STATE_TRANSITION\` when nothing is waiting for an answer. ${REHEARSED}`,
  },
  [`POST ${TASKS}/:id/decline`]: {
    id: 'declineTask',
    text: `The assignee gives the task back with a reason. It goes to the next best person and is never offered to the same one again. ${REHEARSED}`,
  },
  [`POST ${TASKS}/:id/approval`]: {
    id: 'decideRepair',
    text: 'Records whether the owner wants a repair that is estimated above the property’s `repairApprovalLimit`. An owner decides for its own properties; an agent or administrator records what the owner has said. Approved, it is assigned; declined, it is cancelled. A second decision is `INVALID_STATE_TRANSITION`. A yes is for the text, estimate and property that were asked: a task that is changed is asked about anew.',
  },
  [`GET /approvals/:token`]: {
    id: 'showRepairApproval',
    text: `The page on which an owner answers the question about a repair. Looking at it decides nothing. ${BY_LINK}`,
  },
  [`POST /approvals/:token/approve`]: {
    id: 'approveRepairByLink',
    text: `The owner’s yes, from the page. It leads back to the page with 303, which says what is decided, also when that was something else before. ${BY_LINK}`,
  },
  [`POST /approvals/:token/decline`]: {
    id: 'declineRepairByLink',
    text: `The owner’s no, from the page. It leads back to the page with 303, which says what is decided, also when that was something else before. ${BY_LINK}`,
  },
  [`GET /offers/:token`]: {
    id: 'showTaskOffer',
    text: `The page on which somebody says whether they take a task, with the time that is left. Looking at it decides nothing. Once the question is answered, too late, or somebody else’s, it says so. ${BY_STAFF_LINK}`,
  },
  [`POST /offers/:token/accept`]: {
    id: 'acceptTaskByLink',
    text: `A yes, from the page; the same answer again changes nothing. 409 with the same page when another answer came before, when it is too late, or when the task is not that person’s any more. ${BY_STAFF_LINK}`,
  },
  [`POST /offers/:token/decline`]: {
    id: 'declineTaskByLink',
    text: `A no, from the page: the task goes to the next best person. The same answer again changes nothing; 409 as for a yes. ${BY_STAFF_LINK}`,
  },
  [`GET ${API}/assignment-rules`]: {
    id: 'getAssignmentRules',
    text: 'How candidates for a task are weighed (four percentages that sum to 100), how fast and how far they travel, how long offers and held times last, and at what hours nobody is expected to answer.',
  },
  [`PATCH ${API}/assignment-rules`]: {
    id: 'updateAssignmentRules',
    text: 'Changes the fields that are sent, from the next assignment on. The four percentages must still sum to 100 (`VALIDATION_FAILED`).',
  },
  [`GET ${API}/recurrences`]: {
    id: 'listRecurrences',
    text: `Rules that make inspections and maintenance come back. ${PAGED} ${PORTFOLIO}`,
  },
  [`POST ${API}/recurrences`]: {
    id: 'createRecurrence',
    text: 'Adds a rule: monthly, quarterly, every so many days, or after so many completed stays or nights, from `anchorDate` on. Its tasks are made 14 days ahead, one for each period, on the first day on which nobody stays.',
  },
  [`GET ${API}/recurrences/:id`]: { id: 'getRecurrence', text: `Answers the rule. ${PORTFOLIO}` },
  [`PATCH ${API}/recurrences/:id`]: {
    id: 'updateRecurrence',
    text: `Changes title, checklist, time or length of the tasks to come, or switches the rule off and on (\`active\`). When it comes back cannot be changed: end the rule and add another. ${VERSIONED}`,
  },
  [`DELETE ${API}/recurrences/:id`]: {
    id: 'endRecurrence',
    text: `Ends the rule and answers it with \`active: false\`. Tasks that it has made stay. ${VERSIONED}`,
  },
  [`GET ${API}/me/stays`]: {
    id: 'listMyStays',
    text: `The stays of the guest who calls, with what is paid, refunded and due in major units. The address is there once a stay is confirmed, the code of the door (\`access\`) while it opens. ${PAGED}`,
  },
  [`GET ${API}/me/stays/:id`]: {
    id: 'getMyStay',
    text: 'One stay of the guest who calls: its days on the property’s clock, what is paid, refunded and due in major units, the address once it is confirmed, and the code of the door while it opens. Any other stay does not exist for a guest (`RESERVATION_NOT_FOUND`).',
  },
  [`GET ${API}/me/tasks`]: {
    id: 'listMyTasks',
    text: 'The caller’s own tasks in the order in which they are to be done, with the place, the checklist and the times on the property’s clock. Without a period: what is open and late, and the next week.',
  },
  [`POST ${API}/me/calendar`]: {
    id: 'createMyCalendar',
    text: 'Makes a secret address from which a calendar program reads the caller’s tasks, and ends the address before it. The address is answered once and cannot be read again.',
  },
  [`DELETE ${API}/me/calendar`]: {
    id: 'deleteMyCalendar',
    text: 'The calendar address stops working at once. Without one, nothing happens.',
  },
  [`GET /calendar/:file`]: {
    id: 'getCalendar',
    text: 'A person’s tasks as iCalendar (RFC 5545), without any guest’s name. The address itself is the secret: it needs no token, and an unknown one is 404.',
  },
};
