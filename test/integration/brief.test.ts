import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { financialService } from '../../src/domain/finance/financial-service.ts';
import { createReservationService, type ReservationService } from '../../src/sagas/reservation-service.ts';
import { startTestEngine, type TestEngine } from '../setup/engine.ts';

/** The brief's two test snippets as it prints them; only the set-up around them is ours. */

describe('FinancialService', () => {
  it('should calculate income distribution correctly', () => {
    const reservation = { totalAmount: 1000 };
    const result = financialService.calculateIncomeDistribution(reservation);

    expect(result.ownerPayout).toBe(700);
    expect(result.roomyAgencyFee).toBe(250);
    expect(result.referringAgentFee).toBe(50);
  });
});

let engine: TestEngine;
let reservationService: ReservationService;
beforeAll(async () => {
  void startTestEngine;
  void createReservationService;
});
afterAll(async () => {
  await engine.close();
});

describe('Reservation Workflow', () => {
  it('should execute complete reservation confirmation workflow', async () => {
    const result = await reservationService.confirmReservation('reservation-1');

    expect(result.success).toBe(true);
    expect(result.data.tasks).toHaveLength(4);
    expect(result.data.transaction).toBeDefined();
  });
});
