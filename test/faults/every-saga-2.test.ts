import { describeEverySaga } from './every-saga.ts';

await describeEverySaga(2, 2);
