import { confirmReservation } from '../../src/sagas/index.ts';
import { confirmation } from '../sagas/confirmation.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: confirmReservation, fixture: confirmation });
