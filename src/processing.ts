export {
  BatchEventProcessor,
  type BatchEventProcessorOptions,
  type BatchHandlers,
  type BatchResult,
} from './processing/batch-event-processor.ts'
export {
  type BreakerStatus,
  type CircuitBreaker,
  type CircuitBreakerOptions,
  createCircuitBreaker,
} from './processing/circuit-breaker.ts'
export {
  type DeadLetter,
  type DeadLetterEvent,
  type DeadLetterStatus,
  deadLetterEvents,
} from './processing/dead-letter.ts'
export {
  type DeadLetterEntry,
  type DeadLetterFilter,
  discardDeadLetters,
  listDeadLetters,
  listDeadLetterTopics,
  type RedriveOptions,
  redriveDeadLetters,
  type Settled,
  type SettleOptions,
  showDeadLetter,
} from './processing/dead-letters.ts'
export {
  createInbox,
  type EffectContext,
  type Inbox,
  type InboxEntry,
  type InboxOptions,
  type InboxStore,
  type InboxWindow,
  memoryInbox,
} from './processing/inbox.ts'
export {
  type InlineProjection,
  type StartInlineProjectionOptions,
  startInlineProjection,
} from './processing/inline-projection.ts'
export { memoryViews } from './processing/memory-views.ts'
export type { StoreOfHandled } from './processing/own-facts.ts'
export type { WaitingMessage } from './processing/partition-watch.ts'
export type { PoisonOptions } from './processing/poison-policy.ts'
export { type ProcessCommand, processDecider } from './processing/process-decider.ts'
export { type ProcessEvent, processEvents } from './processing/process-events.ts'
export {
  type Compensation,
  defineProcessManager,
  defineSaga,
  type ProcessAction,
  type ProcessManager,
  type ProcessManagerOptions,
  type ProcessMessage,
  type ProcessProgress,
  type ProcessStatus,
  type ProcessStep,
  type StepStatus,
} from './processing/process-manager.ts'
export type { CompensationState, ProcessState } from './processing/process-state.ts'
export type {
  BatchProcessorOptions,
  Outcome,
  ParkedMessage,
  PartitionLag,
  Processor,
  ProcessorBase,
  ProcessorContext,
  ProcessorOptions,
  Unreadable,
} from './processing/processor-options.ts'
export {
  defineProjection,
  type HandlersProjection,
  type Projected,
  type Projection,
  type ProjectionOptions,
  type RowChanges,
  type RowHandlers,
} from './processing/projection.ts'
export type {
  ProjectionLag,
  ProjectionStatus,
  RunningProjection,
  StartProjectionOptions,
  WaitForOptions,
  WaitTarget,
} from './processing/projection-options.ts'
export type { RetryPolicy } from './processing/retry-policy.ts'
export {
  type InboxDatabase,
  type SqliteInbox,
  type SqliteInboxOptions,
  sqliteInbox,
} from './processing/sqlite-inbox.ts'
export { sqliteViews } from './processing/sqlite-views.ts'
export {
  type RunningProcessManager,
  type StartProcessManagerOptions,
  startProcessManager,
} from './processing/start-process-manager.ts'
export { startBatchProcessor, startProcessor } from './processing/start-processor.ts'
export { startProjection } from './processing/start-projection.ts'
export type { ListRowsOptions, ViewBuild, ViewChange, ViewRow, ViewStore } from './processing/view-store.ts'
