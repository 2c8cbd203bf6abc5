import { checkIn } from '../../src/sagas/index.ts';
import { arrival } from '../sagas/visits.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: checkIn, fixture: arrival });
