/**
 * Which texts of details are ours: ids, codes, instants, names of fields and steps. Operators see these (security.md O10); every other text
 * may be a person's words, with spaces or without, and is hidden, so that a new field is hidden by itself.
 */

const ID = /^(?:id|ids|.*(?:Id|Ids|Ref))$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/;
/** What a code looks like, whatever its field: no address of a mail and no sentence does. */
const CODE = /^[A-Za-z0-9_.:+/{}*-]{1,128}$/;

/** Fields that hold codes wherever they are. */
const FIELDS: ReadonlySet<string> = new Set([
  'action',
  'actions',
  'amenities',
  'approval',
  'bearer',
  'by',
  'cause',
  'channel',
  'code',
  'codes',
  'currency',
  'direction',
  'errorCode',
  'event',
  'failedStep',
  'field',
  'fields',
  'kind',
  'limit',
  'missing',
  'movement',
  'occurrence',
  'outcome',
  'path',
  'paymentStatus',
  'permission',
  'readiness',
  'recipientType',
  'role',
  'route',
  'rule',
  'session',
  'signals',
  'source',
  'status',
  'step',
  'subjectType',
  'type',
  'verdict',
  'via',
  'warnings',
]);

/** Fields that hold codes in these events (of the audit trail, or by the record of the feed), and in others what a person wrote. */
const OF_EVENT: Readonly<Record<string, readonly string[]>> = {
  ACCESS_DENIED: ['method'],
  AUTHENTICATION_FAILED: ['method', 'reason'],
  RATE_LIMITED: ['method'],
  SIGNED_IN: ['method'],
  OPS_CALL: ['method'],
  PASSKEY_REFUSED: ['reason'],
  dispute: ['reason'],
  notification: ['reason'],
  saga: ['name'],
};

/** Whether a text at this field of the details of this event is one of ours. `event`: null where there is none. */
export function isCode(text: string, field: string, event: string | null): boolean {
  if (INSTANT.test(text)) return true;
  const own = event !== null && Object.hasOwn(OF_EVENT, event) ? OF_EVENT[event] : [];
  return CODE.test(text) && (ID.test(field) || FIELDS.has(field) || own?.includes(field) === true);
}
