import { processOwnerPayout } from '../../src/sagas/index.ts';
import { payout } from '../sagas/money.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: processOwnerPayout, fixture: payout });
