import type { Config } from './config.ts';
import { isThisMachine } from './db/transport.ts';

/** What production starts without, and what then does not happen: a line each, for the log of a program that starts. */
export function gapsOf({ production, channels, opsEmail, publicUrl, auditSeals, fieldKeys }: Config): string[] {
  if (!production) return [];
  return [
    ...(channels.some(({ channel }) => channel === 'EMAIL')
      ? []
      : ['SMTP_URL is not set: nobody gets a mail, and nobody can be invited or sign in by a link']),
    ...(opsEmail.endsWith('.example') ? ['OPS_EMAIL is not set: nobody is mailed when something stands still'] : []),
    ...(isThisMachine(new URL(publicUrl).hostname)
      ? ['PUBLIC_URL is not set: links in mails lead to the machine of the one who reads them']
      : []),
    ...(fieldKeys.length === 0
      ? ['FIELD_KEYS is not set: secrets and what is said to people stand in clear in Postgres']
      : []),
    ...(auditSeals === null ? ['AUDIT_SEAL_KEYS is not set: the audit trail is not sealed'] : []),
  ];
}
