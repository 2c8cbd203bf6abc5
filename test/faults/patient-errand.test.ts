import { patient, patientErrand } from '../sagas/patient-errand.ts';
import { describeSagaFaults } from './describe-saga-faults.ts';

describeSagaFaults({ definition: patientErrand, fixture: patient });
