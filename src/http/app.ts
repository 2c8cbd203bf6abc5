import { OpenAPIHono } from '@hono/zod-openapi';
import { RoomyError } from '../kernel/errors.ts';
import { createLinkSeal } from '../kernel/link-seal.ts';
import { pathWithout, prefixLocation, prefixOf } from '../kernel/path-prefix.ts';
import { createTextSeal } from '../kernel/text-seal.ts';
import { registerWaysIn } from './accounts/ways-in.ts';
import { createAnswerSeal } from './answer-seal.ts';
import { createApiKeyVerifier } from './api-key-auth.ts';
import { createTokenVerifier } from './auth.ts';
import { registerConsole } from './console/pages.ts';
import type { AnyContext, App, AppDeps, AppEnv, Services } from './context.ts';
import { createCursorSeal } from './cursor.ts';
import { answerFailure } from './errors.ts';
import { failurePages } from './failure-pages.ts';
import { createLiveFeed } from './live/feed.ts';
import { createOpenStreams } from './live/open-streams.ts';
import { methodsAt } from './methods.ts';
import { allowOrigins } from './middleware/cors.ts';
import { rateLimitFields } from './middleware/rate-limit-fields.ts';
import { requestLog } from './middleware/request-log.ts';
import { traced } from './middleware/trace.ts';
import { ownOffersInRefusals } from './offered.ts';
import { declareEvents } from './openapi/webhooks.ts';
import { assertPoliciesMatch } from './policy.ts';
import { problemJson } from './problem.ts';
import { createRegister, type Register } from './route.ts';
import { registerAccounts } from './routes/accounts.ts';
import { registerAnalytics } from './routes/analytics.ts';
import { registerApiKeys } from './routes/api-keys.ts';
import { registerApprovalLimits } from './routes/approval-limits.ts';
import { registerApprovals } from './routes/approvals.ts';
import { registerAssignmentRules } from './routes/assignment-rules.ts';
import { registerCancellations } from './routes/cancellations.ts';
import { registerDay } from './routes/day.ts';
import { registerDifferences } from './routes/differences.ts';
import { registerEvents } from './routes/events.ts';
import { registerFinancial } from './routes/financial.ts';
import { registerGuestLinks } from './routes/guest-links.ts';
import { registerGuests } from './routes/guests.ts';
import { registerHolds } from './routes/holds.ts';
import { registerIncidents } from './routes/incidents.ts';
import { registerIncomeDistribution } from './routes/income-distribution.ts';
import { registerMessages } from './routes/messages.ts';
import { registerMeta } from './routes/meta.ts';
import { registerMoneyApprovals } from './routes/money-approvals.ts';
import { registerMySessions } from './routes/my-sessions.ts';
import { registerMyWork } from './routes/my-work.ts';
import { registerOffers } from './routes/offers.ts';
import { registerOwners } from './routes/owners.ts';
import { registerPayments } from './routes/payments.ts';
import { registerProblems } from './routes/problems.ts';
import { registerProperties } from './routes/properties.ts';
import { registerQueues } from './routes/queues.ts';
import { registerRatings } from './routes/ratings.ts';
import { registerReconciliations } from './routes/reconciliations.ts';
import { registerRecords } from './routes/records.ts';
import { registerRecurrences } from './routes/recurrences.ts';
import { registerRedrives } from './routes/redrives.ts';
import { registerRefunds } from './routes/refunds.ts';
import { registerReservations } from './routes/reservations.ts';
import { registerSagaActs } from './routes/saga-acts.ts';
import { registerSagaEvidence } from './routes/saga-evidence.ts';
import { registerSagaFailures } from './routes/saga-failures.ts';
import { registerSagas } from './routes/sagas.ts';
import { registerSchedules } from './routes/schedules.ts';
import { registerSearch } from './routes/search.ts';
import { registerStaff } from './routes/staff.ts';
import { registerSweepFailures } from './routes/sweep-failures.ts';
import { registerTaskWork } from './routes/task-work.ts';
import { registerTasks } from './routes/tasks.ts';
import { registerTemplates } from './routes/templates.ts';
import { registerTimelines } from './routes/timelines.ts';
import { registerVisits } from './routes/visits.ts';
import { registerWebhookEndpoints } from './routes/webhook-endpoints.ts';
import { registerWebhooks } from './routes/webhooks.ts';
import { registerWorkPage } from './routes/work-page.ts';
import { createStandingGuard, verifierInForce } from './standing.ts';
import { validationFailed } from './validation.ts';

/** The HTTP surface, without a port: tests call `app.request()`. Throws when a route has no policy. */
export function createApp(deps: AppDeps): App {
  const sealKeys = deps.sealKeys ?? deps.jwt.keys;
  const services: Services = {
    ...deps,
    cursors: createCursorSeal(sealKeys),
    answers: createAnswerSeal(sealKeys),
    links: createLinkSeal(sealKeys, deps.clock),
    secrets: createTextSeal(sealKeys),
    standing: deps.standing ?? createStandingGuard(deps),
    apiKeys: createApiKeyVerifier(deps),
    live: createLiveFeed(deps.db),
    streams: createOpenStreams(deps),
  };
  const prefix = prefixOf(deps.publicUrl);
  const app: App = new OpenAPIHono<AppEnv>({
    getPath: pathWithout(prefix),
    defaultHook: (result, c) => {
      if (!result.success)
        throw validationFailed(result.error, result.target === 'json' ? c.get('bodySchema') : undefined);
    },
  });
  app.use('*', (c, next) => {
    c.set('prefix', prefix);
    return next();
  });
  app.use('*', traced);
  app.use('*', requestLog(services));
  app.use('*', rateLimitFields);
  if (deps.corsOrigins !== undefined && deps.corsOrigins.length > 0) app.use('/api/*', allowOrigins(deps.corsOrigins));
  app.use('*', problemJson(deps.publicUrl));
  app.use('*', failurePages);
  app.use('*', prefixLocation(prefix));
  app.use('*', ownOffersInRefusals);
  app.onError((error, c) => answerFailure(c, error));
  app.notFound(answerNoRoute);
  // The framework runs a GET for every HEAD.
  app.use('*', async (c, next) => {
    if (c.req.method !== 'HEAD' || methodsAt(c.req.path).includes('HEAD')) return next();
    return answerNoRoute(c);
  });

  const verify = createTokenVerifier(deps.jwt, deps.clock, services.apiKeys);
  const register = createRegister(app, services, verifierInForce(verify, services.standing));
  registerAll(register, app, services);
  declareEvents(app);
  assertPoliciesMatch(app.routes);
  return app;
}

/** Says which methods the address has, if it has any. */
function answerNoRoute(c: AnyContext): Response {
  const methods = methodsAt(c.req.path);
  const refused = answerFailure(c, new RoomyError(methods.length === 0 ? 'ROUTE_NOT_FOUND' : 'METHOD_NOT_ALLOWED'));
  if (methods.length > 0) refused.headers.set('Allow', methods.join(', '));
  return refused;
}

function registerAll(register: Register, app: App, services: Services): void {
  // In the order in which the docs page shows them.
  registerReservations(register, services);
  registerVisits(register, services);
  registerTimelines(register, services);
  registerDay(register, services);
  registerSearch(register, services);
  registerGuestLinks(register, services);
  registerRatings(register, services);
  registerPayments(register, services);
  registerCancellations(register, services);
  registerRefunds(register, services);
  registerSagas(register, services);
  registerSagaFailures(register, services);
  registerSagaActs(register, services);
  registerSagaEvidence(register, services);
  registerMyWork(register, services);
  // Before `/tasks/:id`, which would take its address for an id.
  registerTaskWork(register, services);
  registerTasks(register, services);
  registerApprovals(register, services);
  registerOffers(register, services);
  registerAssignmentRules(register, services);
  registerRecurrences(register, services);
  registerFinancial(register, services);
  registerIncomeDistribution(register, services);
  registerReconciliations(register, services);
  registerDifferences(register, services);
  registerMoneyApprovals(register, services);
  registerApprovalLimits(register, services);
  registerRecords(register, services);
  registerMessages(register, services);
  registerSweepFailures(register, services);
  registerSchedules(register, services);
  registerQueues(register, services);
  registerIncidents(register, services);
  registerRedrives(register, services);
  registerAnalytics(register, services);
  registerHolds(register, services);
  registerTemplates(register, services);
  registerEvents(register, services);
  registerWebhookEndpoints(register, services);
  registerApiKeys(register, services);
  registerProperties(register, services);
  registerGuests(register, services);
  registerOwners(register, services);
  registerStaff(register, services);
  registerAccounts(register, services);
  registerMySessions(register, services);
  registerWebhooks(register, services);
  registerProblems(register);
  registerWorkPage(register, services);
  registerConsole(register, app, services);
  registerMeta(register, app, services);
  registerWaysIn(register, services);
}
