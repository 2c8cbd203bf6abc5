import { executeRefund } from '../../src/sagas/index.ts';
import { refund } from '../sagas/money.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: executeRefund, fixture: refund });
