import type { Role } from '../src/http/auth.ts';

/** What `npm start` says when everything runs: where it is, who may do what, and what to try first. */
export async function welcome({
  api: apiPort,
  ops: opsPort,
  logs,
  tokenOf,
}: {
  readonly api: number;
  readonly ops: number | 'off';
  readonly logs: string;
  readonly tokenOf: (role: Role, sub: string) => Promise<string>;
}): Promise<string> {
  const admin = await tokenOf('ADMIN', 'admin-1');
  const api = `http://localhost:${apiPort}`;
  const ops = `http://localhost:${opsPort}`;
  const operators = opsPort === 'off' ? 'off (OPS_PORT)' : `${ops}/queues          mailbox ${ops}/mailbox`;
  const confirm = (
    reservation: string,
  ): string => `  curl -s -X POST ${api}/api/production/reservations/${reservation}/confirm \\
    -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
    -d '{"confirmedBy":"agent-1","notes":"Confirmed after availability check"}'`;
  return `
Roomy is ready.

  Begin here   ${api}/        it leads to the other pages
  Sign in      ${api}/sign-in        one click for each role of the demo
  API          ${api}/api/production        docs ${api}/docs        OpenAPI ${api}/openapi.json
  Operators    ${operators}
  Logs         ${logs}

Tokens, good for an hour (more: npm run -s token -- --role ADMIN --sub admin-1):

  ADMIN  ${admin}
  AGENT  ${await tokenOf('AGENT', 'agent-1')}
  OPS    ${await tokenOf('OPS', 'ops-1')}
  CLEANER ${await tokenOf('CLEANER', 'cleaner-1')}   for the phone page: ${api}/work

A first request: confirm a reservation.

  TOKEN=${admin}
${confirm('reservation-1')}

And its failing twin, which overlaps it:

${confirm('reservation-2')}

Ctrl-C stops everything; the data stays.
`;
}
