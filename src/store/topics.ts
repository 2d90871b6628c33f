/** One topic as the store creates it. */
export interface TopicDefinition {
  /** How many, from 1. */
  readonly partitions: number
}

/** The topics of the dual-agent system and their partition counts. */
export const defaultTopics = {
  'agent.tasks.manager': { partitions: 3 },
  'agent.tasks.worker': { partitions: 3 },
  'session.events': { partitions: 6 },
  'monitoring.events': { partitions: 12 },
  'quality.gates': { partitions: 2 },
  'analytics.aggregated': { partitions: 6 },
  'api.responses': { partitions: 3 },
} as const satisfies Record<string, TopicDefinition>

/** Where events go unless the store is opened with another event topic. */
export const DEFAULT_EVENT_TOPIC = 'session.events'

/** What a topic gets that nobody defined. */
export const UNDEFINED_TOPIC: TopicDefinition = { partitions: 3 }
