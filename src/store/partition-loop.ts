import { type DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent, RecordedEvent, RecordedMessage } from '../core/event.ts'
import type { Logger } from '../core/logger.ts'
import { checkNotAhead, groupName } from './checkpoint-ahead.ts'
import type { Checkpoint, ConsumeOptions, ConsumerContext, PartitionPosition } from './event-store.ts'
import { InFlight, type InHand } from './in-flight.ts'
import { pause, pauseAfter } from './wake-ups.ts'
import { isWorthALine } from './warning-logger.ts'

/*
 * What `consume` does with one partition, the same in every backing.
 *
 * P6 A checkpoint never passes a message whose effect is not durable: it is committed after the handler resolved, and a
 *    message whose handler rejected comes again, for ever. A consumer with checkpoints of its own keeps this itself.
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
  /** Where the partition ends now: the offset of the next message that is yet to come. */
  end(): Promise<number>
  /** Durably moves the group to the checkpoint; nothing to do where an append carried it already. */
  commit(checkpoint: Checkpoint): Promise<void>
}

export interface PartitionLoop<E extends AnyEvent>
  extends Pick<
    ConsumeOptions<E>,
    'group' | 'handler' | 'select' | 'onError' | 'checkpoints' | 'maxInFlight' | 'onTaken'
  > {
  readonly source: PartitionSource<E>
  /** Fires when the partition is taken away or the consumer stops. */
  readonly signal: AbortSignal
  /** Hears of failures when there is no `onError`. */
  readonly logger: Logger
}

/** Why a loop ended: its signal fired, another owner has the partition, or its checkpoint is not of this log. */
export type LoopEnd = 'aborted' | 'fenced' | DuologError

/** Handles one partition's messages in order until the signal fires or ownership is lost. Never rejects. */
export async function runPartition<E extends AnyEvent>(options: PartitionLoop<E>): Promise<LoopEnd> {
  const { source, checkpoints, maxInFlight = 1 } = options
  const lost = new AbortController()
  // Not AbortSignal.any: `aborted` of that is dear, and it is asked for each message.
  const { signal } = lost
  if (options.signal.aborted) lost.abort()
  options.signal.addEventListener('abort', () => lost.abort(), { signal })
  const commit = async (checkpoint: Checkpoint) => (checkpoints === undefined ? source.commit(checkpoint) : undefined)
  const hands = new InFlight(source, maxInFlight, commit)
  let isFenced = false
  const fence = () => {
    isFenced = true
    lost.abort()
  }
  const loop: Running<E> = { ...options, signal, hands, maxInFlight, fence }
  const end = (await begin(loop)) ?? (await readOn(loop))
  if (end === 'fenced') loop.fence()
  await hands.idle()
  lost.abort()
  return isFenced ? 'fenced' : end
}

interface Running<E extends AnyEvent> extends PartitionLoop<E> {
  readonly hands: InFlight<E>
  readonly maxInFlight: number
  /** Another owner has the partition. */
  readonly fence: () => void
}

async function begin<E extends AnyEvent>(loop: Running<E>): Promise<LoopEnd | undefined> {
  const { source, group, hands, signal, onTaken } = loop
  const ahead = await persist(loop, undefined, () => checkNotAhead(source, groupName(group)))
  return ahead ?? persist(loop, undefined, async () => onTaken?.(hands.view(signal)))
}

async function readOn<E extends AnyEvent>(loop: Running<E>): Promise<LoopEnd> {
  const { source, hands, signal } = loop
  while (!signal.aborted) {
    let batch: readonly Message<E>[] = []
    const end = await persist(loop, undefined, async () => {
      batch = await source.nextBatch()
      hands.upcoming = batch[0]
      if (batch.length === 0) await waitForMore(loop)
    })
    if (end !== undefined) return end
    if (loop.maxInFlight === 1 && loop.checkpoints !== undefined) await handOutInTurn(loop, batch)
    else await handOut(loop, batch)
  }
  return 'aborted'
}

async function waitForMore<E extends AnyEvent>({ source, hands, checkpoints, signal }: Running<E>): Promise<void> {
  if (checkpoints?.caughtUp !== undefined) {
    await hands.idle()
    await checkpoints.caughtUp(source.position())
  }
  await source.waitForMore(signal)
}

async function handOut<E extends AnyEvent>(loop: Running<E>, batch: readonly Message<E>[]): Promise<void> {
  const { hands, signal, maxInFlight } = loop
  for (const message of batch) {
    if (!isWanted(loop, message)) {
      hands.pass(message)
      continue
    }
    hands.upcoming = message
    if (!hands.hasRoom) await hands.room(signal)
    if (signal.aborted) return
    handle(loop, hands.hold(message))
  }
  // One after the other: also before the next is read.
  if (maxInFlight === 1) await hands.idle()
  if (hands.mayFlush && (await persist(loop, undefined, () => hands.flush())) === 'fenced') loop.fence()
}

function isWanted<E extends AnyEvent>(loop: Running<E>, message: Message<E>): boolean {
  try {
    return loop.select === undefined || loop.select(message)
  } catch (error) {
    report(loop, error, message, 1)
    return true
  }
}

/** Who keeps checkpoints of its own and takes one message after the other needs no book of what is in hand. */
async function handOutInTurn<E extends AnyEvent>(loop: Running<E>, batch: readonly Message<E>[]): Promise<void> {
  const { source, hands, handler, signal } = loop
  for (const message of batch) {
    if (signal.aborted) return
    if (!isWanted(loop, message)) continue
    hands.upcoming = message
    const context = { checkpoint: source.checkpointAfter(message), signal }
    const end = await persist(loop, message, () => handler(message, context))
    if (end === 'fenced') loop.fence()
    if (end !== undefined) return
  }
  hands.upcoming = undefined
}

/** Of each message that is handled at once one promise, and no more of its own: a log has many of them. */
function handle<E extends AnyEvent>(loop: Running<E>, held: InHand<E>): void {
  const { handler } = loop
  const { message } = held
  const context = contextOf(loop, held)
  const step = () => handler(message, context)
  begun(step).then(
    () => handled(loop, held, undefined),
    async (error: unknown) => handled(loop, held, await insist(loop, message, step, error)),
  )
}

/** The promise of the step itself: an async function around it would make three. */
function begun(step: () => Promise<void>): Promise<void> {
  try {
    return Promise.resolve(step())
  } catch (error) {
    return Promise.reject(error)
  }
}

function handled<E extends AnyEvent>(loop: Running<E>, held: InHand<E>, end: LoopEnd | undefined): void {
  const { hands } = loop
  held.isDone = end === undefined
  if (end === 'fenced') loop.fence()
  // Also when the signal fired meanwhile: what was done need not be done again by the next owner.
  if (held.isDone && hands.mayFlush) void flush(loop, held)
  else hands.leave()
}

async function flush<E extends AnyEvent>(loop: Running<E>, { message }: InHand<E>): Promise<void> {
  const { hands } = loop
  if ((await persist(loop, message, () => hands.flush())) === 'fenced') loop.fence()
  hands.leave()
}

/** One after the other there is nothing to read anew: all before it is done. */
function contextOf<E extends AnyEvent>(loop: Running<E>, held: InHand<E>): ConsumerContext {
  const { source, hands, signal, maxInFlight } = loop
  return maxInFlight === 1
    ? { checkpoint: source.checkpointAfter(held.message), signal }
    : new HeldContext(hands, held, signal)
}

/** A class: a getter of an object of its own takes more than all else that is made for a message. */
class HeldContext<E extends AnyEvent> implements ConsumerContext {
  readonly signal: AbortSignal
  readonly #hands: InFlight<E>
  readonly #held: InHand<E>

  constructor(hands: InFlight<E>, held: InHand<E>, signal: AbortSignal) {
    this.#hands = hands
    this.#held = held
    this.signal = signal
  }

  get checkpoint(): Checkpoint {
    return this.#hands.checkpointFor(this.#held)
  }
}

/** Tries until it succeeds, pausing longer after each failure; the signal, a lost partition or another log ends it. */
async function persist<E extends AnyEvent>(
  loop: PartitionLoop<E>,
  message: Message<E> | undefined,
  step: () => Promise<void>,
): Promise<LoopEnd | undefined> {
  try {
    await step()
    return undefined
  } catch (error) {
    return insist(loop, message, step, error)
  }
}

/** The same, after a first failure. */
async function insist<E extends AnyEvent>(
  loop: PartitionLoop<E>,
  message: Message<E> | undefined,
  step: () => Promise<void>,
  failure: unknown,
): Promise<LoopEnd | undefined> {
  let error = failure
  for (let attempt = 1; ; attempt++) {
    const end = endBy(error, loop.signal, message)
    if (typeof end !== 'string') report(loop, error, message, attempt)
    if (end !== undefined) return end
    await pause(pauseAfter(attempt), loop.signal)
    if (loop.signal.aborted) return 'aborted'
    try {
      await step()
      return undefined
    } catch (again) {
      error = again
    }
  }
}

/** Nothing: it is worth another try. */
function endBy(error: unknown, signal: AbortSignal, message: RecordedMessage | undefined): LoopEnd | undefined {
  if (isDuologError(error, 'CHECKPOINT_FENCED')) return 'fenced'
  if (signal.aborted) return 'aborted'
  return message === undefined && isAhead(error) ? error : undefined
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
    else if (isWorthALine(attempt))
      loop.logger.error(fieldsOf(loop, error, message, attempt), failureText(error, message))
  } catch {
    // The failure it was told of is retried all the same.
  }
}

function fieldsOf<E extends AnyEvent>(
  { group, source }: PartitionLoop<E>,
  error: unknown,
  message: Message<E> | undefined,
  attempt: number,
) {
  const { topic, partition, offset } = message ?? source.position()
  return { err: error, group, topic, partition, offset, type: message?.type, message: message?.eventId, attempt }
}

function isAhead(error: unknown): error is DuologError {
  return isDuologError(error, 'CHECKPOINT_AHEAD')
}

function failureText(error: unknown, message: RecordedMessage | undefined): string {
  if (message !== undefined) return 'A handler failed; its message comes again'
  if (isAhead(error)) return 'A consumer ends: its checkpoint is not of this log'
  return 'A partition could not be read; it is tried again'
}
