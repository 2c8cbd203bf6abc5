import { checkOut } from '../../src/sagas/index.ts';
import { departure } from '../sagas/visits.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: checkOut, fixture: departure });
