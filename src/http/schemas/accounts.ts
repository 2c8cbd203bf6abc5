import { z } from '@hono/zod-openapi';
import { ROLES } from '../auth.ts';
import { refersTo } from '../references.ts';
import { CHANGE_NOTHING, Email, Id, isChange, Locale, line, pageQuery } from './common.ts';

const Role = z.enum(ROLES);
const Status = z.enum(['INVITED', 'ACTIVE', 'DEACTIVATED']);
const links = {
  staffId: refersTo(Id, 'staff').optional().openapi({
    description: 'Of an AGENT, a CLEANER or MAINTENANCE_STAFF: the record, of the same role',
  }),
  ownerId: refersTo(Id, 'owner').optional().openapi({ description: 'Of an OWNER' }),
  guestId: refersTo(Id, 'guest').optional().openapi({ description: 'Of a GUEST' }),
};

export const NewAccount = z
  .strictObject({ email: Email, name: line(200), role: Role, ...links, locale: Locale.optional() })
  .openapi('NewAccount');
export const AccountChange = z
  .strictObject({ email: Email.optional(), name: line(200).optional(), role: Role.optional(), ...links })
  .refine(isChange, CHANGE_NOTHING)
  .openapi('AccountChange');
export const AccountQuery = z.strictObject({ role: Role.optional(), status: Status.optional(), ...pageQuery });

export const Account = z
  .object({
    id: Id,
    email: z.string(),
    name: z.string(),
    role: Role,
    staffId: z.string().nullable(),
    ownerId: z.string().nullable(),
    guestId: z.string().nullable(),
    principal: z.string().openapi({ description: 'What tokens (`sub`), audit rows and portfolios call this person' }),
    status: Status,
    locale: z.string().nullable(),
    hasAuthenticator: z.boolean().openapi({ description: 'An authenticator app is set up' }),
    invitedBy: z.string().nullable(),
    version: z.int(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Account');

export const Session = z
  .object({
    id: z.string(),
    method: z.enum(['LINK', 'PASSKEY', 'OIDC', 'DEMO']),
    ip: z.string().nullable(),
    userAgent: z.string().nullable(),
    secondFactorAt: z.iso.datetime().nullable().openapi({ description: 'When a second factor was last given in it' }),
    createdAt: z.iso.datetime(),
    lastSeenAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    current: z.boolean().openapi({ description: 'The token of this request was got for it' }),
  })
  .openapi('Session');
export const EndedSessions = z.object({ ended: z.int() }).openapi('EndedSessions');
