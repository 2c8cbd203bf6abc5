import { describe, expect, it } from 'vitest';
import { financialService } from '../../src/domain/finance/financial-service.ts';
import { taskOrchestrator } from '../../src/domain/stay-tasks/task-orchestrator.ts';
import { reservationServiceBy } from '../../src/sagas/reservation-service.ts';
import { exportedFunctions, SOURCES } from './sources.ts';

/** The components that the product's description names: the file of each, and what it offers. */
const FUNCTIONS_OF = (file: string): string[] =>
  exportedFunctions(file, SOURCES.get(file) ?? '').map(({ name }) => name);
const COMPONENTS = {
  SagaOrchestrator: {
    file: 'engine/orchestrator.ts',
    offers: ['createOrchestrator', 'accept', 'waitForAnswer', 'retry', 'retryWithin', 'resolveWithin'],
  },
  ReservationService: {
    file: 'sagas/reservation-service.ts',
    offers: [
      'reservationServiceBy',
      'acceptingReservationService',
      'reservationServiceWithin',
      ...Object.keys(reservationServiceBy(async () => null)),
    ],
  },
  FinancialService: { file: 'domain/finance/financial-service.ts', offers: Object.keys(financialService) },
  NotificationService: {
    file: 'domain/notifications/enqueue.ts',
    offers: FUNCTIONS_OF('domain/notifications/enqueue.ts'),
  },
  TaskOrchestrator: {
    file: 'domain/stay-tasks/task-orchestrator.ts',
    offers: Object.keys(taskOrchestrator),
  },
} as const;
/** Called, or handed on by name, in another file than its own; comments and imports do not count. */
function isUsed(name: string, home: string): boolean {
  const use = new RegExp(`\\b${name}\\b`);
  return [...SOURCES].some(
    ([file, text]) =>
      file !== home &&
      file !== 'engine/types.ts' &&
      use.test(text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|^import[^;]*;/gm, '')),
  );
}
/** A method by its receiver, since sagas have the names of what starts them. */
const isCalledOn = (receivers: string, name: string, home: string): boolean =>
  isUsed(`(?:${receivers})\\??\\.${name}`, home);

describe('the components', () => {
  it.each(Object.entries(COMPONENTS))('%s stands under its name in its file', (name, { file }) => {
    expect(SOURCES.get(file)).toContain(name);
  });

  it('offer nothing that only tests call', () => {
    const uncalled = Object.entries(COMPONENTS).flatMap(([component, { file, offers }]) =>
      offers
        .filter((name) => {
          if (component === 'FinancialService') return !isCalledOn('financialService', name, file);
          if (component === 'TaskOrchestrator') return !isCalledOn('taskOrchestrator', name, file);
          if (component === 'ReservationService' && !/Service/.test(name)) {
            return !isCalledOn('reservations|acceptingReservationService\\([^)]*\\)', name, file);
          }
          return !isUsed(name, file);
        })
        .map((name) => `${component}.${name}`),
    );
    expect(uncalled).toEqual([]);
  });
});
