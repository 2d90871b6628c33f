export {
  type Catalogue,
  type CatalogueOptions,
  defineCatalogue,
  defineEvent,
  type EventDefinition,
  type EventOf,
  type EventSpec,
  type Upcaster,
  type VersionedEvent,
} from './core/catalogue.ts'
export type { Clock } from './core/clock.ts'
export { type Decider, fold } from './core/decider.ts'
export {
  DuologError,
  type DuologErrorCode,
  type DuologErrorOptions,
  ExpectedVersionConflictError,
  isDuologError,
  isExpectedVersionConflict,
  type RetryAdvice,
} from './core/errors.ts'
export {
  type AnyEvent,
  type EnvelopeOptions,
  type Event,
  isRecordedEvent,
  type NewEvent,
  type OutgoingMessage,
  type RawRecord,
  type RecordedEvent,
  type RecordedMessage,
} from './core/event.ts'
export type { RandomBytes } from './core/ids.ts'
export { type Logger, silentLogger } from './core/logger.ts'
export type { OutputOf, StandardIssue, StandardResult, StandardSchema } from './core/standard-schema.ts'
export {
  type ExpectedStreamVersion,
  matchesExpectedVersion,
  NO_CONCURRENCY_CHECK,
  STREAM_DOES_NOT_EXIST,
  STREAM_EXISTS,
} from './core/versions.ts'
export type { BlobReference, BlobStore } from './store/blobs.ts'
export {
  type CommandHandled,
  type CommandHandler,
  type CommandHandlerOptions,
  createCommandHandler,
  type HandleCommandOptions,
  type LoadedStream,
} from './store/command-handler.ts'
export type {
  Aggregated,
  AggregateOptions,
  Announcement,
  Appended,
  AppendOptions,
  Checkpoint,
  ConsumeOptions,
  Consumer,
  ConsumerContext,
  EventStore,
  FollowPartitionsOptions,
  Liveness,
  OwnCheckpoints,
  PartitionBatch,
  PartitionPosition,
  Presence,
  ReadConsistency,
  ReadStreamOptions,
  StreamInfo,
  TakenPartition,
} from './store/event-store.ts'
export { fileBlobs } from './store/file-blobs.ts'
export { type FollowOptions, followStream } from './store/follow-stream.ts'
export type { InlineView, InlineViews, KeptView, RowRange } from './store/inline-views.ts'
export { openEventStore } from './store/open-event-store.ts'
export type { SnapshotOptions, SnapshotStore, StoredSnapshot } from './store/snapshot-store.ts'
export type { OpenEventStoreOptions, StoreOptions } from './store/store-options.ts'
export type { StoreTaking } from './store/store-taking.ts'
export { type SubscribeOptions, type Subscription, subscribe } from './store/subscribe.ts'
export { DEFAULT_EVENT_TOPIC, defaultTopics, type TopicDefinition } from './store/topics.ts'
export type { LargeEventsOptions } from './store/with-large-events.ts'
