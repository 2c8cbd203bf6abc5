import { cancelReservation } from '../../src/sagas/index.ts';
import { cancellation } from '../sagas/money.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: cancelReservation, fixture: cancellation });
