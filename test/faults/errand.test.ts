import { errand, runErrand } from '../sagas/errand.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: runErrand, fixture: errand });
