import type { DuologError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { messageOf } from '../../core/message-of.ts'
import { reach } from '../../core/reach.ts'
import {
  KafkaError,
  type OffsetsToCommit,
  type PartitionReader,
  type PlacedBatch,
  type TransactionalWriter,
  type TransactionOutcome,
} from '../../kafka/driver.ts'
import type { Appended, Checkpoint } from '../event-store.ts'
import { appendTimedOut } from '../given-up.ts'
import { judgeAppend } from '../judge-append.ts'
import type { PreparedAppend } from '../prepare-append.ts'
import { pause } from '../wake-ups.ts'
import { AppendQueue, type QueueLimits, type Waiting } from './append-queue.ts'
import { type BatchPlan, isOf, type PlanTools, planBatch, writesNothing } from './batch-plan.ts'
import { type CheckpointGuard, fenced } from './checkpoint-guard.ts'
import { Contention } from './contention.ts'
import type { PartitionLog } from './partition-log.ts'
import { endOf, type Placement, placementOf } from './placement.ts'
import { readBack } from './read-back.ts'
import { wasCommitted } from './resolve-doubt.ts'
import { brokerRefused, isTopicGone, lostWithTopic, outcomeUnknown, refusalOf } from './writer-errors.ts'

/*
 * The fenced single writer of one partition of the event topic, taken over on demand.
 *
 * W1 Only the process that initialised the partition's transactional id last can commit to it; the broker sees to that.
 * W2 After `init`, reading to the end makes the picture of every stream exact, and it stays exact until the next
 *    commit of anyone else, which needs an `init` that fences this writer.
 * W3 An answer is given only after a commit was read back (P4 and linearizable reads), or, where nothing is written, from a
 *    picture caught up with the log after the question was asked.
 * W4 Whatever ends a transaction other than a commit ends the ownership. Its appends are answered by what the log says
 *    after the next takeover: found, they are done; not found, they are judged again (P4, P5).
 * W5 An append that can be recognised (by its key or its ids) is refused only by an owner that proved itself after it was
 *    asked: else a former attempt of it, by a process that died, could still be on its way, and come true after the no.
 * W6 Nothing is committed that does not lie in the log right behind what it was judged by (placement.ts): where it does not, the
 *    picture was not exact after all, or the log is another one, a topic made anew. Then it is aborted and judged again.
 * W7 An append moves its consumer's checkpoint as the member and generation that it was given to. Where the group has gone
 *    on without them the broker refuses that, and with it the append: nothing of it is written (D6).
 */

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2000
const TOPIC_PATIENCE_MS = 3000
const TROUBLES_BEFORE_GIVING_UP = 6
/** With so many waiting already the next transaction need not wait for those who are answered now. */
const ANSWER_ASIDE_FROM = 500
/** Answered at a time, so that the broker's answers come in between. */
const ANSWERS_A_TURN = 50

export interface PartitionWriterOptions extends PlanTools {
  readonly log: PartitionLog
  /** Of its own: a fetch that waits holds up whatever else is asked on its connection. */
  readonly reader: PartitionReader
  readonly writer: TransactionalWriter
  readonly logger: Logger
  readonly guard: CheckpointGuard
  readonly limits: QueueLimits
}

/** A batch whose commit was sent and not answered. */
interface Doubt {
  readonly batch: readonly Waiting[]
  readonly plan: BatchPlan
  readonly placed: readonly PlacedBatch[]
}

export class PartitionWriter {
  readonly #options: PartitionWriterOptions
  readonly #queue: AppendQueue
  readonly #contention = new Contention()
  #running: Promise<void> = Promise.resolve()
  #isRunning = false
  #owner = false
  #doubt: Doubt | undefined
  #troubles = 0
  #closing = false
  /** After a batch was refused as a whole: how many appends to send one by one, to find out whose fault it was. */
  #singly = 0
  /** The latest append that was asked before the last takeover (W5). */
  #provenUpTo = 0
  /** The takeover to come is one to prove ourselves: nobody fenced us, so no manners are needed. */
  #proving = false
  /** Answers on their way while the next transaction is. */
  #answering: Promise<void> | undefined
  /** Since when a topic that the append at hand writes to is not there. */
  #topicMissingSinceMs: number | undefined
  /** Behind the last records of the last commit. */
  #ownEnd = -1

  constructor(options: PartitionWriterOptions) {
    this.#options = options
    this.#queue = new AppendQueue(options.limits)
  }

  /** Until it is sent its time and its signal can end it; from then on the true outcome is awaited (P4). */
  append(append: PreparedAppend): Promise<Appended> {
    const answer = this.#queue.add(append)
    if (!this.#isRunning) this.#running = this.#run()
    return answer
  }

  /** Resolves when every append has its answer. Who comes next takes over at once: there is nothing to give back. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#running
    await this.#answering
    await Promise.all([this.#options.writer.close(), this.#options.reader.close()])
  }

  /** It rests from the moment it has found nothing to do: an append that comes a turn later begins it again. */
  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#queue.length > 0 || this.#doubt !== undefined) {
      try {
        await this.#step()
        this.#troubles = 0
      } catch (error) {
        await this.#backOff(error)
      }
    }
    this.#isRunning = false
  }

  async #step(): Promise<void> {
    if (!this.#owner) return this.#becomeOwner()
    if (this.#doubt !== undefined) return this.#resolve(this.#doubt)
    await turn()
    const batch = this.#takeBatch()
    if (batch.length === 0) return
    const plan = planBatch(
      batch.map(({ append }) => append),
      this.#options,
    )
    if (writesNothing(plan)) await this.#answerUnwritten(batch, plan)
    else await this.#write(batch, plan)
  }

  async #becomeOwner(): Promise<void> {
    const { log, writer, names, partition } = this.#options
    await log.catchUp()
    if (this.#doubt === undefined) {
      this.#settleWithoutWriting()
      if (this.#queue.length === 0) return
    }
    if (!this.#proving) await this.#contention.beforeTakeOver()
    const asked = this.#queue.latest
    await writer.init()
    reach('kafka.writer.taken-over')
    await log.catchUpToEnd(() => writer.endOf({ topic: names.eventTopic, partition }))
    reach('kafka.writer.caught-up')
    this.#owner = true
    this.#proving = false
    this.#provenUpTo = asked
    this.#contention.tookOver()
  }

  /** A repeat needs no ownership, nor does a refusal of what was asked once: both are true of the log after the call. */
  #settleWithoutWriting(): void {
    this.#queue.settle((waiting) => {
      const { append } = waiting
      const judgement = judgeAppend(append, this.#options.facts(append.stream))
      if (judgement.kind === 'repeat') waiting.resolve(judgement.appended)
      if (judgement.kind === 'refused' && isRecognisable(append)) return false
      if (judgement.kind === 'refused') waiting.reject(judgement.error)
      return judgement.kind !== 'write'
    })
  }

  #takeBatch(): readonly Waiting[] {
    const batch = this.#queue.take(this.#singly > 0 ? 1 : Number.POSITIVE_INFINITY)
    this.#singly = Math.max(0, this.#singly - batch.length)
    return batch.filter(({ append: { checkpoint }, reject }) => {
      const flaw = checkpoint === undefined ? undefined : this.#options.guard.flawOf(checkpoint)
      if (flaw !== undefined) reject(flaw)
      return flaw === undefined
    })
  }

  /** Nothing will prove the ownership here, so the picture is refreshed before anybody is answered from it. */
  async #answerUnwritten(batch: readonly Waiting[], judged: BatchPlan): Promise<void> {
    const appends = batch.map(({ append }) => append)
    const refused = batch.filter((_, index) => judged.planned[index]?.judgement.kind === 'refused')
    if (refused.some(({ append, order }) => order > this.#provenUpTo && isRecognisable(append))) {
      this.#queue.putBack(batch)
      this.#owner = false
      this.#proving = true
      return
    }
    try {
      await this.#options.log.catchUp()
    } catch (error) {
      this.#queue.putBack(batch)
      throw error
    }
    const plan = planBatch(appends, this.#options)
    if (writesNothing(plan)) answerAll(batch, plan)
    else this.#queue.putBack(batch)
  }

  async #write(batch: readonly Waiting[], plan: BatchPlan): Promise<void> {
    const outcome = await this.#transact(plan)
    if (outcome.kind === 'aborted')
      return await this.#aborted(this.#withoutFenced(batch, outcome.fenced), outcome.error)
    this.#topicMissingSinceMs = undefined
    if (outcome.kind === 'unknown') {
      this.#doubt = { batch, plan, placed: outcome.placed }
      return this.#lose(outcome.error)
    }
    reach('kafka.writer.committed')
    const { placed } = outcome
    this.#doubt = { batch, plan, placed }
    await this.#readBack(plan, placed)
    this.#doubt = undefined
    reach('kafka.writer.read-back')
    this.#finish(batch, plan)
  }

  /** W6 */
  async #transact({ records, offsets }: BatchPlan): Promise<TransactionOutcome> {
    const { log, names, writer } = this.#options
    const expected = { readTo: log.position, ownEnd: this.#ownEnd }
    let placement: Placement = 'follows'
    const mayCommit = (placed: readonly PlacedBatch[]) => {
      const own = placed.filter(({ topic }) => topic === names.eventTopic)
      placement = placementOf(own, expected)
      if (placement === 'follows') this.#ownEnd = endOf(own, this.#ownEnd)
      return placement === 'follows'
    }
    const outcome = await writer.transact({ records, offsets, mayCommit })
    if (isAnotherLog(placement)) log.startOver('what was appended lies before it')
    return outcome
  }

  async #readBack({ records }: BatchPlan, placed: readonly PlacedBatch[]): Promise<void> {
    const { names, log, reader, partition } = this.#options
    try {
      await readBack({ records, placed }, { log, reader, partition, topic: names.eventTopic })
    } catch (error) {
      this.#owner = false // committed, and yet to be seen: treated as a doubt, the log will say so
      throw error
    }
  }

  #finish(batch: readonly Waiting[], plan: BatchPlan): void {
    this.#contention.committed()
    this.#queue.blame(undefined)
    for (const { append, judgement } of plan.planned) {
      const carried = judgement.kind === 'write' ? append.checkpoint : undefined
      if (carried !== undefined) this.#options.guard.reached(carried, { carried: true })
    }
    this.#answer(batch, plan)
  }

  /** Callers do a lot with their answer, first of all the next append: the broker works meanwhile where it can. */
  #answer(batch: readonly Waiting[], plan: BatchPlan): void {
    if (this.#answering === undefined && this.#queue.length < ANSWER_ASIDE_FROM) {
      answerAll(batch, plan)
      return
    }
    const answering = (this.#answering ?? Promise.resolve()).then(() => answerInTurns(batch, plan))
    this.#answering = answering
    void answering.then(() => {
      if (this.#answering === answering) this.#answering = undefined
    })
  }

  /** W7 */
  #withoutFenced(batch: readonly Waiting[], offsets: OffsetsToCommit | undefined): readonly Waiting[] {
    if (offsets === undefined) return batch
    return batch.filter(({ append: { checkpoint }, reject }) => {
      const isFenced = isOf(checkpoint, offsets, this.#options.names)
      if (isFenced) reject(fenced(checkpoint as Checkpoint))
      return !isFenced
    })
  }

  /** Where one of a batch is to blame, they are sent one by one to find out which. */
  async #aborted(batch: readonly Waiting[], error: unknown): Promise<void> {
    const missing = isTopicGone(error)
    const ofOne = error instanceof KafkaError && (error.code === 'REFUSED' || missing)
    if (ofOne && batch.length === 1 && !(missing && this.#mayAppear())) {
      this.#topicMissingSinceMs = undefined
      for (const { append, bytes, reject } of batch) reject(brokerRefused(append.stream, bytes, error))
    } else {
      this.#queue.putBack(batch)
      if (ofOne) this.#singly = batch.length
    }
    this.#lose(error)
    if (missing && batch.length === 1) await pause(FIRST_PAUSE_MS)
  }

  /** A topic that was just made is not known to every broker. */
  #mayAppear(): boolean {
    this.#topicMissingSinceMs ??= performance.now()
    return performance.now() - this.#topicMissingSinceMs < TOPIC_PATIENCE_MS
  }

  #lose(error: unknown): void {
    this.#proving = false
    const { logger, partition } = this.#options
    this.#owner = false
    this.#queue.blame(error)
    logger.debug({ partition, error: messageOf(error) }, 'Lost the partition; taking over again for what waits')
  }

  async #resolve(doubt: Doubt): Promise<void> {
    const committed = await wasCommitted(doubt.plan, doubt.placed, this.#options)
    this.#doubt = undefined
    if (committed) this.#finish(doubt.batch, doubt.plan)
    else this.#queue.putBack(doubt.batch)
  }

  async #backOff(error: unknown): Promise<void> {
    const { logger, partition } = this.#options
    this.#owner = false
    logger.warn(
      { partition, error: messageOf(error) },
      'The writer of a partition cannot reach its broker; trying again',
    )
    this.#queue.blame(error)
    this.#refuse(error)
    if (this.#closing && this.#troubles > TROUBLES_BEFORE_GIVING_UP) this.#giveUp(error)
    await pause(Math.min(FIRST_PAUSE_MS * 2 ** this.#troubles++, LONGEST_PAUSE_MS))
  }

  /** What waiting does not cure. */
  #refuse(error: unknown): void {
    const { eventTopic } = this.#options.names
    const refusal = refusalOf(error, eventTopic)
    if (refusal !== undefined) for (const { reject } of this.#queue.takeAll()) reject(refusal)
    if (isTopicGone(error)) this.#rejectSent((stream) => lostWithTopic(eventTopic, stream, error))
  }

  #rejectSent(reasonOf: (stream: string) => DuologError): void {
    for (const { append, reject } of this.#doubt?.batch ?? []) reject(reasonOf(append.stream))
    this.#doubt = undefined
  }

  /** Only what was sent and not answered has no true answer; what waits was not sent. */
  #giveUp(cause: unknown): void {
    this.#rejectSent((stream) => outcomeUnknown(stream, cause))
    for (const { append, reject } of this.#queue.takeAll()) reject(appendTimedOut(append.stream, cause))
  }
}

/** Asked of a value that a callback set. */
function isAnotherLog(placement: Placement): boolean {
  return placement === 'in another log'
}

/** Who was just answered may append again at once: those appends share the next transaction. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

function isRecognisable({ idempotencyKey, givenEventIds }: PreparedAppend): boolean {
  return idempotencyKey !== undefined || givenEventIds > 0
}

function answerAll(batch: readonly Waiting[], { planned }: Pick<BatchPlan, 'planned'>): void {
  batch.forEach((waiting, index) => {
    const judgement = planned[index]?.judgement
    if (judgement?.kind === 'refused') waiting.reject(judgement.error)
    else if (judgement !== undefined) waiting.resolve(judgement.appended)
  })
}

async function answerInTurns(batch: readonly Waiting[], { planned }: BatchPlan): Promise<void> {
  for (let start = 0; start < batch.length; start += ANSWERS_A_TURN) {
    const end = start + ANSWERS_A_TURN
    await turn()
    answerAll(batch.slice(start, end), { planned: planned.slice(start, end) })
  }
}
