/** The path of an execution: for answers that are written where no request is. */
export const executionPath = (sagaId: string): string => `/api/production/sagas/executions/${sagaId}`;
