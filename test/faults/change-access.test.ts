import { changeAccess } from '../../src/sagas/index.ts';
import { laterDeparture } from '../sagas/visits.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: changeAccess, fixture: laterDeparture });
