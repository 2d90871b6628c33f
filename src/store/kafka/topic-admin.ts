import { DuologError } from '../../core/errors.ts'
import type { KafkaDriver } from '../../kafka/driver.ts'
import type { StoreOptions } from '../store-options.ts'
import { warningLogger } from '../warning-logger.ts'
import { connect } from './connect.ts'
import type { KafkaConnection } from './connection.ts'
import { namesOf } from './names.ts'
import { toStoreError } from './store-errors.ts'
import { type DefinedTopic, layoutOf, topicDefinitions } from './topic-definitions.ts'
import { planTopics, type TopicAction, type TopicPlan } from './topic-plan.ts'

/** A log's topics, looked at and put right from outside: what `duolog topics` does. */
export interface TopicAdmin {
  /** What would have to be done; changes nothing. */
  plan(): Promise<TopicPlan>
  /**
   * Does it, and says what was done. Safe to repeat, also after it was interrupted.
   * @throws TOPIC_UNSUITABLE when any topic refuses; nothing is changed then.
   */
  apply(): Promise<TopicPlan>
  close(): Promise<void>
}

/** @throws BROKER_UNREACHABLE within 10 s, DEPENDENCY_MISSING, BROKER_REFUSED. */
export async function openTopicAdmin(connection: KafkaConnection, options: StoreOptions = {}): Promise<TopicAdmin> {
  const driver = await connect(connection, options.logger ?? warningLogger)
  const layout = layoutOf(connection, options)
  const names = namesOf(connection.prefix ?? '', layout.eventTopic)
  const { all } = topicDefinitions(layout, names, connection.replicationFactor)
  const plan = () => documented(() => look(driver, all))
  return {
    plan,
    apply: () => documented(async () => carryOut(driver, all, await look(driver, all))),
    close: () => driver.close(),
  }
}

async function look(driver: KafkaDriver, defined: readonly DefinedTopic[]): Promise<TopicPlan> {
  const found = await driver.describeTopics(defined.map(({ topic }) => topic))
  return planTopics(defined, new Map(found.map((topic) => [topic.topic, topic])))
}

async function carryOut(driver: KafkaDriver, defined: readonly DefinedTopic[], plan: TopicPlan): Promise<TopicPlan> {
  const refusals = plan.topics.flatMap(({ topic, refusals }) => refusals.map((reason) => `${topic}: ${reason}`))
  if (refusals.length > 0) {
    throw new DuologError('TOPIC_UNSUITABLE', `Nothing was changed. ${refusals.join('. ')}.`)
  }
  const creates = plan.topics.filter(({ actions }) => actions.some(({ kind }) => kind === 'create'))
  const created = new Set(creates.map(({ topic }) => topic))
  await driver.createTopics(defined.filter(({ topic }) => created.has(topic)))
  for (const { topic, actions } of plan.topics) await change(driver, topic, actions)
  return plan
}

async function change(driver: KafkaDriver, topic: string, actions: readonly TopicAction[]): Promise<void> {
  const configs = actions.flatMap((action) => (action.kind === 'set-config' ? [[action.name, action.to] as const] : []))
  if (configs.length > 0) await driver.alterTopicConfig(topic, Object.fromEntries(configs))
  for (const action of actions) if (action.kind === 'add-partitions') await driver.addPartitions(topic, action.to)
}

async function documented<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toStoreError(error)
  }
}
