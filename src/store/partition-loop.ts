import { isDuologError } from '../core/errors.ts'
import type { AnyEvent, RecordedEvent, RecordedMessage } from '../core/event.ts'
import type { Logger } from '../core/logger.ts'
import type { Checkpoint, ConsumeOptions, PartitionPosition } from './event-store.ts'
import { pause } from './wake-ups.ts'

/*
 * What `consume` does with one partition, the same in every backing.
 *
 * P6 A checkpoint never passes a message whose effect is not durable: it is committed after the handler resolved, and a
 *    message whose handler rejected comes again, for ever, before any later one. A consumer with checkpoints of its own
 *    keeps this itself.
 */

type Message<E extends AnyEvent> = RecordedMessage<E> | RecordedEvent<E>

/** What a backing supplies for a partition its member owns. */
export interface PartitionSource<E extends AnyEvent = AnyEvent> {
  /** The next messages in order, from where the last batch ended; empty when there are none now. */
  nextBatch(): Promise<readonly Message<E>[]>
  /** Resolves when there may be more messages, or when the signal fires. After an empty batch only. */
  waitForMore(signal: AbortSignal): Promise<void>
  /** The checkpoint that says "this message is done". */
  checkpointAfter(message: Message<E>): Checkpoint
  /** What was taken by `nextBatch` ends here; the next message, there or yet to come, is not before it. */
  position(): PartitionPosition
  /** Durably moves the group to the checkpoint; nothing to do where an append carried it already. */
  commit(checkpoint: Checkpoint): Promise<void>
}

export interface PartitionLoop<E extends AnyEvent>
  extends Pick<ConsumeOptions<E>, 'handler' | 'onError' | 'checkpoints'> {
  readonly source: PartitionSource<E>
  /** Fires when the partition is taken away or the consumer stops. */
  readonly signal: AbortSignal
  /** Hears of failures when there is no `onError`. */
  readonly logger: Logger
}

/** Why a loop ended: its signal fired, or another owner has the partition. */
export type LoopEnd = 'aborted' | 'fenced'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/** Handles one partition's messages one after the other until the signal fires or ownership is lost. Never rejects. */
export async function runPartition<E extends AnyEvent>(loop: PartitionLoop<E>): Promise<LoopEnd> {
  while (!loop.signal.aborted) {
    let batch: readonly Message<E>[] = []
    const readEnd = await persist(loop, undefined, async () => {
      batch = await loop.source.nextBatch()
      if (batch.length > 0) return
      await loop.checkpoints?.caughtUp?.(loop.source.position())
      await loop.source.waitForMore(loop.signal)
    })
    if (readEnd !== undefined) return readEnd
    for (const message of batch) {
      const end = await handle(loop, message)
      if (end !== undefined) return end
    }
  }
  return 'aborted'
}

async function handle<E extends AnyEvent>(loop: PartitionLoop<E>, message: Message<E>): Promise<LoopEnd | undefined> {
  if (loop.signal.aborted) return 'aborted'
  const checkpoint = loop.source.checkpointAfter(message)
  const context = { checkpoint, signal: loop.signal }
  const end = await persist(loop, message, () => loop.handler(message, context))
  if (end !== undefined || loop.checkpoints !== undefined) return end
  // Also when the signal fired meanwhile: what was done need not be done again by the next owner.
  return persist(loop, message, () => loop.source.commit(checkpoint))
}

/** Tries until it succeeds, pausing longer after each failure; the signal or a lost partition ends it. */
async function persist<E extends AnyEvent>(
  loop: PartitionLoop<E>,
  message: Message<E> | undefined,
  step: () => Promise<void>,
): Promise<LoopEnd | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      await step()
      return undefined
    } catch (error) {
      if (isDuologError(error, 'CHECKPOINT_FENCED')) return 'fenced'
      if (loop.signal.aborted) return 'aborted'
      report(loop, error, message, attempt)
      await pause(Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS), loop.signal)
      if (loop.signal.aborted) return 'aborted'
    }
  }
}

/** A listener that throws must not end the partition. */
function report<E extends AnyEvent>(
  loop: PartitionLoop<E>,
  error: unknown,
  message: Message<E> | undefined,
  attempt: number,
) {
  try {
    if (loop.onError !== undefined) loop.onError(error, message, attempt)
    else
      loop.logger.error(
        { error, attempt, message: message?.eventId, type: message?.type },
        'A handler failed; its message comes again',
      )
  } catch {
    // The failure it was told of is retried all the same.
  }
}
