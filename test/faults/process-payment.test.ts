import { processPayment } from '../../src/sagas/index.ts';
import { payment } from '../sagas/money.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: processPayment, fixture: payment });
