import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { financialService } from '../../src/domain/finance/financial-service.ts';
import { confirmReservation } from '../../src/sagas/index.ts';
import { createTestbed, type Testbed } from '../setup/engine.ts';
import { createReservationService, type ReservationService } from '../setup/reservation-service.ts';
import { seedStays } from '../setup/stays.ts';

/** The brief's two test snippets, as it prints them; only the set-up around them is ours. */

let bed: Testbed;
let reservationService: ReservationService;

beforeAll(async () => {
  bed = await createTestbed([confirmReservation]);
  await seedStays(bed.db, [{ id: 'reservation-1' }]);
  const { engine } = await bed.start({ prefix: bed.newPrefix() });
  reservationService = createReservationService(engine.orchestrator, 10_000);
});
afterAll(() => bed.drop());

describe('FinancialService', () => {
  it('should calculate income distribution correctly', () => {
    const reservation = { totalAmount: 1000 };
    const result = financialService.calculateIncomeDistribution(reservation);

    expect(result.ownerPayout).toBe(700);
    expect(result.roomyAgencyFee).toBe(250);
    expect(result.referringAgentFee).toBe(50);
  });
});

describe('Reservation Workflow', () => {
  it('should execute complete reservation confirmation workflow', async () => {
    const result = await reservationService.confirmReservation('reservation-1');

    expect(result.success).toBe(true);
    expect(result.data.tasks).toHaveLength(4);
    expect(result.data.transaction).toBeDefined();
  });
});
