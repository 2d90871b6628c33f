import type { AnyEvent } from '../core/event.ts'
import type { EventStore, PartitionPosition, TakenPartition } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import type { PartitionLag } from './processor-options.ts'

/** How far the partitions that a consumer has are behind. */
export async function lagOf<E extends AnyEvent>(
  store: EventStore<E>,
  taken: Iterable<TakenPartition>,
): Promise<readonly PartitionLag[]> {
  const partitions = [...taken].filter(({ signal }) => !signal.aborted)
  const topics = [...new Set(partitions.map(({ topic }) => topic))]
  const ends = (await Promise.all(topics.map((topic) => store.partitionEnds(topic)))).flat()
  const nowMs = systemClock.now()
  return partitions.map((each) => {
    const { topic, partition } = each
    const records = Math.max(0, (endOf(ends, each)?.offset ?? 0) - each.position())
    return { topic, partition, records, seconds: secondsSince(each.oldestTimestamp(), nowMs) }
  })
}

/** How long what has this time waits; 0 where nothing waits. */
export function secondsSince(timestamp: string | undefined, nowMs: number): number {
  return timestamp === undefined ? 0 : Math.max(0, (nowMs - Date.parse(timestamp)) / 1000)
}

export type Place = Omit<PartitionPosition, 'offset'>

export function placeOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`
}

function endOf(ends: readonly PartitionPosition[], place: Place): PartitionPosition | undefined {
  return ends.find((end) => placeOf(end) === placeOf(place))
}
