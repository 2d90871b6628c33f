import { DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { messageOf } from '../core/message-of.ts'
import { invalidArgument } from '../store/check-arguments.ts'
import type { PartitionPosition } from '../store/event-store.ts'
import { keptAlive, pause, WakeUps } from '../store/wake-ups.ts'
import { loggerFor, Repeats } from '../store/warning-logger.ts'
import { BuildFeed } from './build-feed.ts'
import {
  checkGetOptions,
  checkListOptions,
  checkStartProjection,
  checkWaitOptions,
  checkWaitTarget,
} from './check-projection.ts'
import { memoryViews } from './memory-views.ts'
import { PartitionFailures } from './partition-failures.ts'
import { placeOf } from './partition-lag.ts'
import { PoisonPolicy } from './poison-policy.ts'
import { type Projected, topicsOf } from './projection.ts'
import type {
  ProjectionLag,
  ProjectionStatus,
  RunningProjection,
  StartProjectionOptions,
  WaitForOptions,
  WaitTarget,
} from './projection-options.ts'
import { readLive } from './read-live.ts'
import { tell } from './tell.ts'
import type { ListRowsOptions, ViewBuild, ViewRow, ViewStore } from './view-store.ts'

/*
 * A projection at work: which build is kept up to date, which is read, when one takes the other's place.
 */

/**
 * Runs a projection: every message is applied exactly once to the rows of its view store, also across kill -9, since
 * rows and checkpoint are one transaction there. Instances on one view store share the partitions.
 *
 * A version other than the live one is built beside it and takes its place when it has caught up; a lower one is refused.
 *
 * @throws INVALID_ARGUMENT naming the option.
 */
export function startProjection<Row, E extends AnyEvent>(
  options: StartProjectionOptions<Row, E>,
): RunningProjection<Row> {
  checkStartProjection(options)
  return new Runner(options)
}

const DEFAULT_BATCH_MESSAGES = 500
const DEFAULT_WAIT_MS = 30_000
const LOOK_AGAIN_MS = 200

class Runner<Row, E extends AnyEvent> implements RunningProjection<Row> {
  readonly ready: Promise<void>
  readonly stopped: Promise<string | undefined>
  readonly #options: StartProjectionOptions<Row, E>
  readonly #poison: PoisonPolicy<E>
  readonly #end = Promise.withResolvers<string | undefined>()
  readonly #views: ViewStore
  readonly #repeats = new Repeats()
  readonly #failures = new PartitionFailures()
  readonly #stopping = new AbortController()
  readonly #swapped = new WakeUps()
  readonly #read = <T>(read: (build: ViewBuild) => Promise<T>) => readLive(() => this.#liveBuild(), read)
  #live: BuildFeed<Row, E> | undefined
  #building: BuildFeed<Row, E> | undefined
  #rebuilding: Promise<void> | undefined
  /** The last look at what is live, under way or done. */
  #following: Promise<void>
  #target: readonly PartitionPosition[] = []
  #stoppedFor: string | undefined

  constructor(options: StartProjectionOptions<Row, E>) {
    this.#options = options
    this.stopped = this.#end.promise
    const { name, version } = options.projection
    this.#poison = new PoisonPolicy({
      ...options,
      // Built again it finds its letter; a newer version that fails writes its own.
      group: `projection.${name}.v${version}`,
      view: name,
      onSkipped: (message, error) => this.#skipped(message, error),
      onStop: (reason) => {
        loggerFor(options, undefined).warn({ projection: name }, `A projection stops: ${reason}`)
        void this.#stop(reason)
      },
    })
    this.#views = options.views ?? memoryViews()
    this.#following = this.#follow()
    this.ready = this.#following
    this.ready.catch(() => {}) // whoever awaits it hears of it
  }

  async get(key: string, options: WaitForOptions & { readonly after?: WaitTarget } = {}): Promise<Row | undefined> {
    checkGetOptions(options)
    const { after, ...wait } = options
    if (after !== undefined) await this.waitFor(after, wait)
    return (await this.#read((build) => this.#views.get(build, key))) as Row | undefined
  }

  async list(options?: ListRowsOptions): Promise<readonly ViewRow<Row>[]> {
    checkListOptions(options)
    return (await this.#read((build) => this.#views.list(build, options))) as readonly ViewRow<Row>[]
  }

  async waitFor(target: WaitTarget, options: WaitForOptions = {}): Promise<void> {
    checkWaitOptions(options)
    checkWaitTarget(target)
    await keptAlive(() => this.#waitFor(target, options))
  }

  async #waitFor(target: WaitTarget, options: WaitForOptions): Promise<void> {
    const { timeoutMs = DEFAULT_WAIT_MS } = options
    const late = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([late, this.#stopping.signal, ...(options.signal ? [options.signal] : [])])
    const place = await this.#placeOf(target)
    if (place === undefined) return
    const { last } = this.#failures
    for (;;) {
      const seen = this.#views.generation
      const applied = await this.#appliedIn(place)
      if (applied > place.offset) return
      if (signal.aborted) {
        const failure = this.#failures.since(last, place, applied)
        throw this.#gaveUp(late.aborted ? timeoutMs : undefined, failure)
      }
      await this.#views.changed(seen, signal)
    }
  }

  rebuild(): Promise<void> {
    this.#rebuilding ??= this.#rebuild().finally(() => {
      this.#rebuilding = undefined
    })
    return this.#rebuilding
  }

  /** What is being built already will do; where another instance's build took its place it begins anew. */
  async #rebuild(): Promise<void> {
    const { name, version } = this.#options.projection
    let generation: number | undefined
    for (;;) {
      await this.#following
      const seen = this.#swapped.generation
      if (this.#stopping.signal.aborted) throw this.#gaveUp(undefined, undefined)
      const live = await this.#liveBuild()
      if (generation !== undefined && live.generation >= generation) return
      if (this.#building === undefined) {
        await this.#checkNotAhead(live)
        await this.#startBuilding(await this.#views.createBuild(name, version))
      }
      generation = this.#building?.build.generation
      if (generation !== undefined) await this.#swapped.after(seen, { signal: this.#stopping.signal })
    }
  }

  async status(): Promise<ProjectionStatus> {
    const { live, applied } = await this.#read(async (build) => ({
      live: build,
      applied: await this.#views.checkpoints(build),
    }))
    const ends = await this.#ends()
    checkWithin(live.name, applied, ends)
    const seconds = this.#live?.waitingSeconds() ?? new Map<string, number>()
    const lag = ends.map((end): ProjectionLag => {
      const own = seconds.get(placeOf(end))
      const behind = { ...end, offset: end.offset - offsetIn(applied, end) }
      return own === undefined ? behind : { ...behind, seconds: own }
    })
    const lagSeconds = Math.max(0, ...seconds.values())
    // Taken once: it may take its place while its checkpoints are read.
    const building = this.#building?.build
    if (building === undefined) return { live, lag, lagSeconds }
    const built = await this.#views.checkpoints(building)
    return { live, lag, lagSeconds, building: { ...building, applied: sum(built), end: sum(ends) } }
  }

  stop(): Promise<void> {
    return this.#stop(undefined)
  }

  async #stop(reason: string | undefined): Promise<void> {
    this.#stoppedFor ??= reason
    this.#stopping.abort()
    await this.ready.catch(() => {})
    await Promise.all([this.#live?.stop(), this.#building?.stop()])
    this.#end.resolve(reason)
  }

  /** Takes up the build that is live for this version, or builds one. */
  async #follow(): Promise<void> {
    const { name, version } = this.#options.projection
    const live = await this.#views.openLive(name, version)
    if (live.version > version) throw tooOld(name, version, live.version)
    // Nothing built beside it could ever overtake one that is ahead of its log.
    await this.#checkNotAhead(live)
    if (live.version < version) {
      const unfinished = await this.#views.unfinished(name, version)
      if (unfinished !== undefined) await this.#checkNotAhead(unfinished)
      return this.#startBuilding(unfinished ?? (await this.#views.createBuild(name, version)))
    }
    if (this.#stopping.signal.aborted) return
    this.#live = this.#feed(live)
    await this.#live.ready
  }

  async #startBuilding(build: ViewBuild): Promise<void> {
    this.#target = await this.#ends()
    if (this.#stopping.signal.aborted) return
    this.#building = this.#feed(build)
    await this.#building.ready
  }

  #feed(build: ViewBuild): BuildFeed<Row, E> {
    const { store, projection, maxBatchMessages = DEFAULT_BATCH_MESSAGES } = this.#options
    const feed: BuildFeed<Row, E> = new BuildFeed({
      store,
      projection,
      views: this.#views,
      build,
      maxBatchMessages,
      poison: this.#poison,
      onError: (error, message) => this.#report(error, message),
      blockedAfterMs: this.#options.blockedAfterMs,
      onBlocked: (error) => tell(() => this.#say(error, 'The event loop was blocked')),
      onCaughtUp: async () => {
        if (feed === this.#building) await this.#tryToSwap(feed)
      },
      onGone: () => void this.#replaced(feed),
    })
    // The topic was made anew while it ran: onError has heard of it.
    void feed.ended.then((failure) => failure && this.#stop(failure.message))
    return feed
  }

  /** Once it is where the log ended when it began, the live one stands still until it has been overtaken. */
  async #tryToSwap(feed: BuildFeed<Row, E>): Promise<void> {
    const built = await this.#views.checkpoints(feed.build)
    if (this.#target.some((end) => offsetIn(built, end) < end.offset)) return
    // Several partitions may be that far at once.
    if (feed !== this.#building) return
    await this.#live?.stop()
    if (feed !== this.#building) return
    if (!(await this.#views.promote(feed.build))) return this.#lookWhetherGone(feed)
    this.#live = feed
    this.#building = undefined
    loggerFor(this.#options, undefined).info({ ...feed.build }, 'A view was rebuilt and took its place')
    this.#swapped.wakeAll()
  }

  /** Where the live one is only further, it is caught up with. */
  async #lookWhetherGone(feed: BuildFeed<Row, E>): Promise<void> {
    // Not awaited: the feed is stopped then, and waits for what it is doing.
    if (!(await this.#views.exists(feed.build))) void this.#replaced(feed)
  }

  /** Another instance swapped, and all other builds are gone: go on with what is live now. */
  async #replaced(feed: BuildFeed<Row, E>): Promise<void> {
    const feeds = [this.#live, this.#building]
    if (!feeds.includes(feed)) return
    this.#live = undefined
    this.#building = undefined
    this.#following = this.#takeUp(feeds)
    await this.#following
  }

  async #takeUp(gone: readonly (BuildFeed<Row, E> | undefined)[]): Promise<void> {
    await Promise.all(gone.map((feed) => feed?.stop()))
    while (!this.#stopping.signal.aborted && !(await this.#tookUp())) await pause(LOOK_AGAIN_MS, this.#stopping.signal)
    this.#swapped.wakeAll()
  }

  /** Whether there is no need to look again. */
  async #tookUp(): Promise<boolean> {
    try {
      await this.#follow()
      return true
    } catch (error) {
      // A newer program's rows, or another log's: there is nothing to go on with. What passes is waited for.
      const isOver = isDuologError(error, 'INVALID_ARGUMENT') || isDuologError(error, 'CHECKPOINT_AHEAD')
      if (isOver) this.#giveUp(error)
      else this.#report(error)
      return isOver
    }
  }

  #giveUp(error: unknown): void {
    if (this.#stopping.signal.aborted) return
    this.#report(error)
    void this.#stop(messageOf(error))
  }

  async #checkNotAhead(build: ViewBuild): Promise<void> {
    const stored = await this.#views.checkpoints(build)
    checkWithin(build.name, stored, await this.#ends())
  }

  async #ends(): Promise<readonly PartitionPosition[]> {
    const { store, projection } = this.#options
    return (await Promise.all(topicsOf(projection, store).map((topic) => store.partitionEnds(topic)))).flat()
  }

  async #liveBuild(): Promise<ViewBuild> {
    const { name, version } = this.#options.projection
    const live = await this.#views.live(name)
    if (live !== undefined && live.version > version) {
      const error = tooOld(name, version, live.version)
      this.#giveUp(error)
      throw error
    }
    if (live !== undefined) return live
    await this.ready
    return this.#liveBuild()
  }

  async #appliedIn(place: PartitionPosition): Promise<number> {
    return offsetIn(await this.#views.checkpoints(await this.#liveBuild()), place)
  }

  async #placeOf(target: WaitTarget): Promise<PartitionPosition | undefined> {
    const { store } = this.#options
    if ('offset' in target) return this.#followed(target)
    const { stream, currentStreamVersion: version } = target
    if (version === 0) return undefined
    for await (const event of store.readStream(stream, { from: version, to: version })) return this.#followed(event)
    throw invalidArgument(`after: stream "${stream}" has no event ${version}.`)
  }

  #followed(place: PartitionPosition): PartitionPosition {
    const { store, projection } = this.#options
    if (topicsOf(projection, store).includes(place.topic)) return place
    throw invalidArgument(`Projection "${projection.name}" does not read topic "${place.topic}".`)
  }

  #gaveUp(afterMs: number | undefined, cause: unknown): DuologError {
    const { name } = this.#options.projection
    const why = cause === undefined ? '.' : `, since it does not get on: ${messageOf(cause)}`
    if (afterMs !== undefined)
      return new DuologError('TIMEOUT', `Projection "${name}" was not that far after ${afterMs} ms${why}`, { cause })
    const stopped = this.#stoppedFor === undefined ? 'it was stopped.' : `it stopped: ${this.#stoppedFor}`
    const by = this.#stopping.signal.aborted ? stopped : `its signal fired${why}`
    return new DuologError('ABORTED', `Waiting for projection "${name}" was given up, since ${by}`, { cause })
  }

  #skipped(message: Projected, error: unknown): void {
    const { topic, partition, offset, type } = message
    const { projection, onSkipped } = this.#options
    const fields = { err: error, projection: projection.name, topic, partition, offset, type }
    loggerFor(this.#options, onSkipped).warn(fields, 'A projection passed over a message')
    onSkipped?.(message, error)
  }

  #report(error: unknown, message?: PartitionPosition): void {
    this.#failures.note(error, message)
    this.#say(error, 'A projection does not get on')
  }

  #say(error: unknown, what: string): void {
    const { projection, onError } = this.#options
    const fields = { err: error, projection: projection.name }
    loggerFor(this.#options, onError, this.#repeats.count(error)).error(fields, what)
    onError?.(error)
  }
}

function checkWithin(view: string, stored: readonly PartitionPosition[], ends: readonly PartitionPosition[]): void {
  const ahead = ends.find((end) => offsetIn(stored, end) > end.offset)
  if (ahead !== undefined) throw aheadOfLog(view, ahead, offsetIn(stored, ahead))
}

type Place = Omit<PartitionPosition, 'offset'>

function offsetIn(positions: readonly PartitionPosition[], { topic, partition }: Place): number {
  return positions.find((place) => place.topic === topic && place.partition === partition)?.offset ?? 0
}

function sum(positions: readonly PartitionPosition[]): number {
  return positions.reduce((total, { offset }) => total + offset, 0)
}

function tooOld(name: string, version: number, live: number): DuologError {
  return invalidArgument(
    `The view "${name}" is at version ${live}, this program computes version ${version}: run a newer program, or raise ` +
      'the version to go back to what it computes.',
  )
}

function aheadOfLog(name: string, { topic, partition, offset }: PartitionPosition, stored: number): DuologError {
  return new DuologError(
    'CHECKPOINT_AHEAD',
    `The view "${name}" has applied partition ${partition} of "${topic}" up to ${stored}, but the log ends at ${offset}: ` +
      'it is another log, or the topic was made again. Open the right log, or give the view a new place.',
  )
}
