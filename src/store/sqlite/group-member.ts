import { type DuologError, isDuologError } from '../../core/errors.ts'
import { uuidV7 } from '../../core/ids.ts'
import { reach } from '../../core/reach.ts'
import type { ConsumeOptions, Consumer } from '../event-store.ts'
import { type LoopEnd, type PartitionSource, runPartition } from '../partition-loop.ts'
import { systemClock, systemRandom } from '../system.ts'
import { pause, settledWithin } from '../wake-ups.ts'
import { assignPartitions } from './assign-partitions.ts'
import type { Claimed, GroupPartitionRow } from './group-table.ts'
import type { LogFile } from './log-file.ts'
import { partitionSources } from './partition-reader.ts'
import { placeKey } from './rows.ts'

/*
 * One member of a consumer group. It looks at the group when something changed, and now and then for the dead: gives
 * back what others should have, takes what is free and should be its own.
 *
 * P6 A partition taken away is given back only after its handler came to rest; who takes longer than the lease is
 *    fenced instead: its checkpoints no longer count.
 */

/** How often the other members' locks are tried: a dead member's partitions wait no longer. */
const LOOK_FOR_DEAD_MS = 200
const RESTART_PAUSE_MS = 100

interface Running extends Claimed {
  readonly topic: string
  readonly partition: number
  readonly abort: AbortController
  done: Promise<void>
}

export class GroupMember implements Consumer {
  readonly ready: Promise<void>
  readonly #ended = Promise.withResolvers<DuologError | undefined>()
  readonly ended = this.#ended.promise
  readonly #log: LogFile
  readonly #options: ConsumeOptions
  // Sorts by birth: who joins later changes less of what the others have.
  readonly #id = uuidV7(systemClock.now(), systemRandom)
  readonly #running = new Map<string, Running>()
  readonly #stopping = new AbortController()
  readonly #unhold: () => void
  readonly #looking: Promise<void>
  #stopped?: Promise<void>
  #failure: DuologError | undefined

  constructor(log: LogFile, options: ConsumeOptions) {
    this.#log = log
    this.#options = options
    this.#unhold = log.watch.hold()
    const first = this.#look()
    this.ready = first
    this.#looking = first.then(
      () => this.#keepLooking(),
      () => this.#unhold(),
    )
    // Who does not wait for `ready` hears of the failure from `onError`.
    first.catch((error: unknown) => this.#report(error))
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop().finally(() => this.#ended.resolve(this.#failure))
    return this.#stopped
  }

  #fail(error: DuologError): void {
    this.#failure ??= error
    void this.stop().catch(() => {}) // who stops it, too, hears of it
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    for (const running of this.#running.values()) running.abort.abort()
    await this.#looking
    await Promise.all([...this.#running.values()].map(({ done }) => done))
    try {
      await this.#log.transact(() => this.#log.groups.leave(this.#options.group, this.#id))
    } catch (error) {
      // The others find out when this process ends.
      this.#report(error)
    }
    this.#log.groupChanges.wakeAll()
    this.#unhold()
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const seen = this.#log.groupChanges.generation
      await this.#look().catch((error: unknown) => this.#report(error))
      await this.#log.groupChanges.after(seen, { signal, timeoutMs: LOOK_FOR_DEAD_MS })
    }
  }

  async #look(): Promise<void> {
    await this.#removeDead()
    const wanted = await this.#wanted()
    await Promise.all([...this.#running.values()].map((running) => this.#giveBackUnless(wanted, running)))
    await this.#claim(wanted)
  }

  /** Members whose process died leave the group; so does this one join it, at first or after it was taken for dead. */
  async #removeDead(): Promise<void> {
    const { groups, holders } = this.#log
    const members = await this.#log.read(() => groups.members(this.#options.group))
    const dead = new Set(members.map(({ holder }) => holder).filter((holder) => holders.liveness(holder) === 'dead'))
    const isMember = members.some(({ member }) => member === this.#id)
    if (isMember && dead.size === 0) return
    await this.#log.transact(() => {
      for (const holder of dead) groups.removeHolder(holder)
      if (!isMember) this.#join()
    })
    reach('file.group.joined')
    this.#log.groupChanges.wakeAll()
  }

  #join(): void {
    const { group, topics, from = 'beginning' } = this.#options
    this.#log.groups.join({ group, member: this.#id, holder: this.#log.holders.own(), topics, from })
  }

  /** What should be this member's, by the group as it is now. */
  async #wanted(): Promise<readonly GroupPartitionRow[]> {
    const { groups } = this.#log
    const { group } = this.#options
    return this.#log.read(() => {
      const wanted = assignPartitions(groups.members(group), groups.partitions(group))
      return [...wanted].filter(([, member]) => member === this.#id).map(([place]) => place)
    })
  }

  async #giveBackUnless(wanted: readonly GroupPartitionRow[], running: Running): Promise<void> {
    const place = wanted.find(({ topic, partition }) => topic === running.topic && partition === running.partition)
    if (place?.owner === running.owner) return
    await this.#giveBack(running)
  }

  async #giveBack(running: Running): Promise<void> {
    running.abort.abort()
    await settledWithin(this.#log.leaseMs, running.done)
    this.#running.delete(placeKey(running))
    reach('file.group.releasing')
    await this.#log.transact(() => {
      this.#log.groups.release(this.#options.group, running.owner, running.topic, running.partition)
    })
    this.#log.groupChanges.wakeAll()
  }

  async #claim(wanted: readonly GroupPartitionRow[]): Promise<void> {
    const free = wanted.filter((place) => place.owner === undefined && !this.#running.has(placeKey(place)))
    if (free.length === 0 || this.#stopping.signal.aborted) return
    const claimed = await this.#log.transact(() =>
      free.map(({ topic, partition }) => this.#log.groups.claim(this.#options.group, this.#id, topic, partition)),
    )
    reach('file.group.claimed')
    claimed.forEach((claim, index) => {
      const place = free[index]
      if (claim !== undefined && place !== undefined) this.#start(place, claim)
    })
  }

  #start({ topic, partition }: GroupPartitionRow, claimed: Claimed): void {
    const abort = new AbortController()
    if (this.#stopping.signal.aborted) abort.abort()
    const running: Running = { ...claimed, topic, partition, abort, done: Promise.resolve() }
    this.#running.set(placeKey(running), running)
    running.done = this.#run(running)
  }

  async #run(running: Running): Promise<void> {
    const { signal } = running.abort
    const end = await this.#runOnce(running, signal)
    if (end === 'aborted') return
    if (end !== 'fenced') return this.#fail(end)
    // By a new owner, or by a handler that used an old checkpoint: given back and looked at again either way.
    await pause(RESTART_PAUSE_MS, signal)
    if (!signal.aborted) this.#giveBack(running).catch((error: unknown) => this.#report(error))
  }

  async #runOnce(running: Running, signal: AbortSignal): Promise<LoopEnd> {
    try {
      const own = await this.#options.checkpoints?.load(running.topic, running.partition)
      const source = this.#source(own === undefined ? running : { ...running, nextOffset: own })
      return await runPartition({ ...this.#options, source, signal, logger: this.#log.logger })
    } catch (error) {
      this.#report(error)
      return isDuologError(error, 'CHECKPOINT_AHEAD') ? error : 'fenced'
    }
  }

  #source({ topic, partition, owner, nextOffset }: Running): PartitionSource {
    const { group } = this.#options
    return {
      ...partitionSources(this.#log)({ topic, partition, offset: nextOffset }),
      checkpointAfter: ({ offset }) => ({ group, topic, partition, offset: offset + 1, owner }),
      commit: (checkpoint) => this.#log.transact(() => this.#log.groups.move(checkpoint)),
    }
  }

  #report(error: unknown): void {
    const { group, onError } = this.#options
    try {
      if (onError !== undefined) onError(error, undefined, 1)
      else this.#log.logger.warn({ err: error, group }, 'A consumer could not look at its group')
    } catch {
      // A listener that throws must not end the consumer.
    }
  }
}
