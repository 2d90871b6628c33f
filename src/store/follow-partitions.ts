import { isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { checkInteger, checkTopic, invalidArgument } from './check-arguments.ts'
import { checkNotAhead } from './checkpoint-ahead.ts'
import type { FollowPartitionsOptions, PartitionBatch, PartitionPosition } from './event-store.ts'
import type { PartitionSource } from './partition-loop.ts'
import { pause } from './wake-ups.ts'

/*
 * What `followPartitions` does, the same in every backing: takes what each partition has, one after the other, and waits
 * when none has anything. Nothing is read before the reader asks for it, so a slow reader costs no memory.
 */

/** A partition that is read without a group. */
export type FollowSource = Pick<PartitionSource, 'nextBatch' | 'position' | 'end' | 'waitForMore'>

const RETRY_PAUSE_MS = 200
export const READER = 'This reader'

/**
 * Ends when the signal fires. What passes (a broker that is away, a busy file) is waited for.
 * @throws CHECKPOINT_AHEAD where a position is behind the end of its partition
 */
export async function* followSources<E extends AnyEvent>(
  sources: readonly FollowSource[],
  signal: AbortSignal,
  select: FollowPartitionsOptions['select'] = () => true,
): AsyncGenerator<PartitionBatch<E>> {
  for (const source of sources) await patiently(() => checkNotAhead(source, READER), signal)
  while (!signal.aborted) {
    let moved = false
    for (const source of sources) {
      const batch = await nextBatch(source, signal)
      if (signal.aborted) return
      if (batch === undefined) continue
      moved = true
      const { messages, position } = batch
      yield { messages: messages.filter(select) as unknown as PartitionBatch<E>['messages'], position }
      if (signal.aborted) return
    }
    if (!moved) await anyMore(sources, signal)
  }
}

async function nextBatch(source: FollowSource, signal: AbortSignal): Promise<PartitionBatch | undefined> {
  const before = source.position().offset
  const messages = await patiently(() => source.nextBatch(), signal)
  const position = source.position()
  if (messages === undefined || (messages.length === 0 && position.offset === before)) return undefined
  return { messages, position }
}

/** Nothing when the signal fired first. */
async function patiently<T>(step: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await step()
    } catch (error) {
      if (!isDuologError(error) || error.retry === 'never') throw error
      await pause(RETRY_PAUSE_MS, signal)
    }
  }
  return undefined
}

async function anyMore(sources: readonly FollowSource[], signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const either = AbortSignal.any([over.signal, signal])
  try {
    await Promise.race(sources.map((source) => source.waitForMore(either)))
  } finally {
    over.abort()
  }
}

/** @throws INVALID_ARGUMENT */
export function checkFollowOptions(from: readonly PartitionPosition[]): void {
  if (!Array.isArray(from) || from.length === 0) throw invalidArgument('from must be a list of at least one position.')
  for (const { topic, partition, offset } of from) {
    checkTopic(topic)
    checkInteger('partition', partition, 0)
    checkInteger('offset', offset, 0)
  }
  const places = new Set(from.map(({ topic, partition }) => `${topic}/${partition}`))
  if (places.size < from.length) throw invalidArgument('from names a partition twice.')
}
