import type { Clock } from '../core/clock.ts'
import type { RandomBytes } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import type { TopicDefinition } from './topics.ts'

/** What every backing takes. */
export interface StoreOptions {
  /** The topic that holds the events. Default `session.events`. */
  readonly eventTopic?: string
  /** Definitions beside (or instead of) the default ones, by topic name. */
  readonly topics?: Readonly<Record<string, TopicDefinition>>
  /** How long an owner may be silent before it counts as dead, milliseconds. Default 10,000 (file), 5,000 (kafka). */
  readonly leaseMs?: number
  readonly clock?: Clock
  readonly random?: RandomBytes
  readonly logger?: Logger
}
