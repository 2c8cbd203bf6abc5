/** Requests of a page to the API of its own process: they go on under the id of the page's request, which no header could say. */
const ids = new WeakMap<Request, string>();

export function withinRequest(request: Request, requestId: string): Request {
  ids.set(request, requestId);
  return request;
}

export const idOfPage = (request: Request): string | undefined => ids.get(request);
