/** What a writer's process is told to do. */
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'

export interface WriterTask {
  readonly brokers: string
  readonly prefix: string
  readonly driver: KafkaDriverName
  /** The process's name and its how manieth life. */
  readonly name: string
  readonly life: number
  readonly seed: string
  readonly streams: readonly string[]
  readonly partitions: number
  readonly concurrency: number
  /** Appends per second it tries to make, all its callers together. */
  readonly perSecond: number
  readonly journal: string
  /** That of its former life. */
  readonly predecessor?: string
  /** Before it ends it appends to every stream, which ends any transaction that a dead writer left open. */
  readonly finisher: boolean
}

export const TASK_TOPIC = 'agent.tasks.worker'
