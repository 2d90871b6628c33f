export { onReach } from './core/reach.ts'
export {
  type CheckpointContractOptions,
  type CheckpointedEffect,
  type CheckpointPlace,
  checkpointContract,
} from './testing/checkpoint-contract.ts'
export type { ContractLog, Lacking } from './testing/contract/contract-test.ts'
export { DeciderSpecification, type ExpectedError, type Given, type Outcome } from './testing/decider-specification.ts'
export {
  type AppendFault,
  type ArmedFault,
  type FaultPlan,
  faultAt,
  faultyStore,
  type PointFault,
} from './testing/faults.ts'
export { type InboxContractOptions, inboxContract } from './testing/inbox-contract.ts'
export {
  type DeepPartial,
  type ProcessHappening,
  type ProcessOutcome,
  ProcessSpecification,
} from './testing/process-specification.ts'
export { type GivenEvent, type ProjectedRows, ProjectionSpecification } from './testing/projection-specification.ts'
export { type ContractRunner, type StoreContractOptions, storeContract } from './testing/store-contract.ts'
export { type ViewStoreContractOptions, type ViewsUnderTest, viewStoreContract } from './testing/view-store-contract.ts'
export { seededRandom, type VirtualClock, virtualClock } from './testing/virtual-clock.ts'
export { type OfType, type WaitForEventOptions, waitForEvent } from './testing/wait-for-event.ts'
