import { describeEverySaga } from './every-saga.ts';

await describeEverySaga(1, 2);
