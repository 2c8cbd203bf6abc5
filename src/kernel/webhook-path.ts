/** Where providers call this system: `POST <path>/<id of the provider>`. Both the route and the configuration, which gives it to providers, need it. */
export const WEBHOOKS_PATH = '/api/production/webhooks';
