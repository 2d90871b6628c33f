import { uuidV7 } from '../core/ids.ts'
import { systemClock, systemRandom } from '../store/system.ts'
import { WakeUps } from '../store/wake-ups.ts'
import { checkpointFenced } from './checkpoint-fenced.ts'
import type { ListRowsOptions, ViewBuild, ViewChange, ViewRow, ViewStore } from './view-store.ts'

interface Build extends ViewBuild {
  /** By key, as JSON: what a row is must not depend on where it is kept. */
  readonly rows: Map<string, string>
  readonly checkpoints: Map<string, { readonly topic: string; readonly partition: number; offset: number }>
}

/** Views that live as long as the process: built from the log's beginning at every start. */
export function memoryViews(): ViewStore {
  return new MemoryViews()
}

class MemoryViews implements ViewStore {
  readonly id = uuidV7(systemClock.now(), systemRandom)
  readonly #builds = new Map<number, Build>()
  readonly #live = new Map<string, number>()
  readonly #wakeUps = new WakeUps()
  #generations = 0

  get generation(): number {
    return this.#wakeUps.generation
  }

  async live(name: string): Promise<ViewBuild | undefined> {
    return this.#builds.get(this.#live.get(name) ?? 0)
  }

  async unfinished(name: string, version: number): Promise<ViewBuild | undefined> {
    const { generation: live } = (await this.live(name)) ?? {}
    return [...this.#builds.values()].findLast(
      (build) => build.name === name && build.version === version && build.generation !== live,
    )
  }

  async openLive(name: string, version: number): Promise<ViewBuild> {
    const live = this.#builds.get(this.#live.get(name) ?? 0) ?? this.#newBuild(name, version)
    this.#live.set(name, live.generation)
    return live
  }

  async exists({ generation }: ViewBuild): Promise<boolean> {
    return this.#builds.has(generation)
  }

  async createBuild(name: string, version: number): Promise<ViewBuild> {
    return this.#newBuild(name, version)
  }

  #newBuild(name: string, version: number): Build {
    const build = { name, version, generation: ++this.#generations, rows: new Map(), checkpoints: new Map() }
    this.#builds.set(build.generation, build)
    return build
  }

  async apply({ generation }: ViewBuild, change: ViewChange): Promise<void> {
    const { topic, partition, from, to } = change
    const build = this.#builds.get(generation)
    const place = `${topic}/${partition}`
    if (build === undefined || build.checkpoints.get(place)?.offset !== from) throw checkpointFenced('view', change)
    const changed = change.rows((key) => parsed(build.rows.get(key)))
    const texts = [...changed].map(([key, row]) => [key, row === undefined ? undefined : JSON.stringify(row)] as const)
    for (const [key, text] of texts) {
      if (text === undefined) build.rows.delete(key)
      else build.rows.set(key, text)
    }
    build.checkpoints.set(place, { topic, partition, offset: to })
    this.#wakeUps.wakeAll()
  }

  async checkpoints({ generation }: ViewBuild) {
    return [...(this.#builds.get(generation)?.checkpoints.values() ?? [])]
  }

  async promote({ name, generation }: ViewBuild): Promise<boolean> {
    const [build, live] = [this.#builds.get(generation), this.#builds.get(this.#live.get(name) ?? 0)]
    if (build === undefined) return false
    const behind = [...(live?.checkpoints ?? [])].some(
      ([place, { offset }]) => (build.checkpoints.get(place)?.offset ?? 0) < offset,
    )
    if (behind) return false
    this.#live.set(name, generation)
    for (const other of this.#builds.values()) {
      if (other.name === name && other !== build) this.#builds.delete(other.generation)
    }
    this.#wakeUps.wakeAll()
    return true
  }

  async get({ generation }: ViewBuild, key: string): Promise<unknown> {
    return parsed(this.#builds.get(generation)?.rows.get(key))
  }

  async list({ generation }: ViewBuild, options: ListRowsOptions = {}): Promise<readonly ViewRow[]> {
    const { prefix = '', after, limit = 1000 } = options
    const rows = [...(this.#builds.get(generation)?.rows ?? [])]
    return rows
      .filter(([key]) => key.startsWith(prefix) && (after === undefined || key > after))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([key, text]) => ({ key, row: parsed(text) }))
  }

  changed(seen: number, signal: AbortSignal): Promise<void> {
    return this.#wakeUps.after(seen, { signal })
  }

  async close(): Promise<void> {
    this.#wakeUps.wakeAll()
  }
}

function parsed(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text)
}
