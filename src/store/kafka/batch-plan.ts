import type { DriverRecord, OffsetsToCommit } from '../../kafka/driver.ts'
import { groupBy } from '../../kafka/group-by.ts'
import type { Appended, Checkpoint } from '../event-store.ts'
import { type Judgement, judgeAppend, type PositionRange, type StreamFacts } from '../judge-append.ts'
import type { PreparedAppend } from '../prepare-append.ts'
import type { CheckpointGuard } from './checkpoint-guard.ts'
import type { Names } from './names.ts'
import { encodeRecord } from './record-codec.ts'

/*
 * What one transaction will hold: appends judged one after the other, each against the log and what those before it in
 * the batch will have added. Pure.
 *
 * P2 All of an append goes into one plan. A refused append adds nothing, and its neighbours do not notice.
 */

export interface PlanTools {
  readonly names: Names
  readonly partition: number
  readonly facts: (stream: string) => StreamFacts
  readonly partitionOf: (topic: string, key: string) => number
  readonly guard: Pick<CheckpointGuard, 'isBehind'>
}

export interface Planned {
  readonly append: PreparedAppend
  readonly judgement: Judgement
}

export interface BatchPlan {
  /** In the order of the appends. */
  readonly planned: readonly Planned[]
  readonly records: readonly DriverRecord[]
  readonly offsets: readonly OffsetsToCommit[]
}

export function planBatch(appends: readonly PreparedAppend[], tools: PlanTools): BatchPlan {
  const staged = new StagedStreams(tools.facts)
  const planned = appends.map((append) => {
    const judgement = judgeAppend(append, staged.facts(append.stream))
    if (judgement.kind === 'write') staged.stage(append, judgement.appended)
    return { append, judgement }
  })
  const writes = planned.flatMap(({ append, judgement }) =>
    judgement.kind === 'write' ? [{ append, appended: judgement.appended }] : [],
  )
  return {
    planned,
    records: writes.flatMap(({ append, appended }) => recordsOf(append, appended, tools)),
    offsets: offsetsOf(checkpointsOf(writes, tools.guard), tools.names),
  }
}

export function writesNothing(plan: BatchPlan): boolean {
  return plan.records.length === 0 && plan.offsets.length === 0
}

function recordsOf(append: PreparedAppend, appended: Appended, tools: PlanTools): DriverRecord[] {
  const { names, partition, partitionOf } = tools
  const { stream, idempotencyKey } = append
  const version = appended.currentStreamVersion
  const origin = version === 0 ? undefined : { stream, version }
  const events = append.events.map((event, index) =>
    encodeRecord(event, {
      topic: names.eventTopic,
      partition,
      sequence: appended.firstStreamPosition + index,
      idempotencyKey,
    }),
  )
  const outgoing = append.outgoing.map((message) =>
    encodeRecord(message, {
      topic: names.physical(message.topic),
      partition: partitionOf(message.topic, message.key),
      origin,
    }),
  )
  return [...events, ...outgoing]
}

function checkpointsOf(
  writes: readonly { readonly append: PreparedAppend }[],
  guard: PlanTools['guard'],
): Checkpoint[] {
  const carried = writes.flatMap(({ append }) => append.checkpoint ?? [])
  return carried.filter((checkpoint) => !guard.isBehind(checkpoint))
}

/** Several checkpoints of one partition in one batch: the furthest holds. */
function offsetsOf(checkpoints: readonly Checkpoint[], names: Names): OffsetsToCommit[] {
  return [...groupBy(checkpoints, ({ group, owner = '' }) => `${owner} ${group}`)].map(([, ofMember]) => {
    const { group, owner: identity } = ofMember[0] as Checkpoint
    const places = groupBy(ofMember, ({ topic, partition }) => `${topic}/${partition}`)
    const offsets = [...places.values()].map((same) => {
      const { topic, partition } = same[0] as Checkpoint
      return { topic: names.physical(topic), partition, offset: Math.max(...same.map(({ offset }) => offset)) }
    })
    return { group: names.physical(group), identity, offsets }
  })
}

/** Whether the checkpoint would be moved by these offsets' member. */
export function isOf(checkpoint: Checkpoint | undefined, { group, identity }: OffsetsToCommit, names: Names): boolean {
  return checkpoint !== undefined && names.physical(checkpoint.group) === group && checkpoint.owner === identity
}

/** The log's facts, and over them what the batch will have added. */
class StagedStreams {
  readonly #facts: (stream: string) => StreamFacts
  readonly #staged = new Map<string, StagedStream>()

  constructor(facts: (stream: string) => StreamFacts) {
    this.#facts = facts
  }

  facts(stream: string): StreamFacts {
    return this.#staged.get(stream) ?? this.#facts(stream)
  }

  stage(append: PreparedAppend, appended: Appended): void {
    const staged = this.#staged.get(append.stream) ?? new StagedStream(this.#facts(append.stream))
    this.#staged.set(append.stream, staged)
    staged.stage(append, appended)
  }
}

class StagedStream implements StreamFacts {
  readonly #base: StreamFacts
  readonly #keys = new Map<string, PositionRange>()
  readonly #ids = new Map<string, number>()
  #version: number

  constructor(base: StreamFacts) {
    this.#base = base
    this.#version = base.currentVersion()
  }

  currentVersion(): number {
    return this.#version
  }

  positionsOfKey(idempotencyKey: string): PositionRange | undefined {
    return this.#keys.get(idempotencyKey) ?? this.#base.positionsOfKey(idempotencyKey)
  }

  positionOfEvent(eventId: string): number | undefined {
    return this.#ids.get(eventId) ?? this.#base.positionOfEvent(eventId)
  }

  stage({ events, idempotencyKey }: PreparedAppend, { firstStreamPosition, currentStreamVersion }: Appended): void {
    this.#version = currentStreamVersion
    events.forEach((event, index) => void this.#ids.set(event.eventId, firstStreamPosition + index))
    if (idempotencyKey === undefined) return
    this.#keys.set(idempotencyKey, { first: firstStreamPosition, last: currentStreamVersion })
  }
}
