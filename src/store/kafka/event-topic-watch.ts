import type { Logger } from '../../core/logger.ts'
import type { KafkaDriver } from '../../kafka/driver.ts'
import { flawOfRetention } from '../../kafka/topics.ts'

/*
 * Somebody may set retention or compaction on the event topic, add partitions to it, or delete it, while a store is open: that
 * is said as soon as it is seen, as an error, once per change. Events are at stake.
 */

const RECHECK_MS = 300_000

export interface EventTopicWatchOptions {
  readonly driver: Pick<KafkaDriver, 'describeTopics'>
  /** Its name in the cluster. */
  readonly topic: string
  /** How many it had when the store opened. */
  readonly partitions: number
  readonly logger: Logger
  /** Default 300,000. */
  readonly everyMs?: number
}

/** Keeps no process alive. Returns how to stop. */
export function watchEventTopic(options: EventTopicWatchOptions): () => void {
  const { topic, logger, everyMs = RECHECK_MS } = options
  let said: string | undefined
  const look = async () => {
    const flaw = await flawOf(options)
    if (flaw !== undefined && flaw !== said) logger.error({ topic }, `The topic ${topic} ${flaw}`)
    said = flaw
  }
  // A cluster that cannot be asked now is asked again.
  const timer = setInterval(() => void look().catch(() => {}), everyMs)
  timer.unref()
  return () => clearInterval(timer)
}

async function flawOf({ driver, topic, partitions }: EventTopicWatchOptions): Promise<string | undefined> {
  const [found] = await driver.describeTopics([topic])
  if (found === undefined)
    return 'is gone: it was deleted while this store is open, and with it the events. Stop, and bring it back'
  if (found.cleanupPolicy.includes('compact')) {
    return `has cleanup.policy=${found.cleanupPolicy} by now: compaction deletes all but the last event of each stream. Set cleanup.policy=delete at once`
  }
  if (found.partitions !== partitions) {
    return `has ${found.partitions} partitions by now, ${partitions} when this store opened: who opens it now looks for streams in other partitions, and begins them again. Stop, and begin a log with another prefix`
  }
  return flawOfRetention(found)
}
