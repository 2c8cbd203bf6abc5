import type { App } from './context.ts';

/** The OpenAPI 3.1 document, from the schemas that the routes check requests by. */
export function describeApi(app: App): ReturnType<App['getOpenAPI31Document']> {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Roomy business process orchestrator',
      version: '1.0.0',
      description:
        'Runs the business processes of a property manager as sagas: every step succeeds, or all are undone in reverse order. ' +
        'Every answer is `{success: true, data, message?}` or `{success: false, error, code, requestId, details?}`. ' +
        'Get a token with `npm run -s token -- --role ADMIN --sub admin-1`.',
    },
    servers: [{ url: '/' }],
  });
}

export function declareBearerToken(app: App): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
  });
}
