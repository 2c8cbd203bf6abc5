import { refundReservation } from '../../src/sagas/index.ts';
import { goodwill } from '../sagas/money.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: refundReservation, fixture: goodwill });
