import { describeContract } from '../support/method-contract';

describeContract(1);
