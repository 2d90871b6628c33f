import type { Logger } from '../core/logger.ts'
import { messageOf } from '../core/message-of.ts'
import { reach } from '../core/reach.ts'
import type { SnapshotStore, StoredSnapshot } from './snapshot-store.ts'
import { toSnapshot, toText } from './snapshot-text.ts'

/*
 * Snapshots of any backing: its table, with manners.
 *
 * N1 Never truth: what cannot be read, is damaged or cannot be written is said once and passed over; a fold then begins
 *    at the first event. Killed before, while or after one is written: nothing is lost but time.
 * N2 Off the hot path: `save` returns at once. One write per stream at a time; the newest that waits wins.
 */

/** What a backing supplies: texts by kind of state and stream. May throw; may forget. */
export interface SnapshotTable {
  load(name: string, stream: string): Promise<string | undefined>
  save(name: string, stream: string, text: string): Promise<void>
  clear(): Promise<void>
}

export class Snapshots implements SnapshotStore {
  readonly #table: SnapshotTable
  readonly #logger: Logger
  readonly #said = new Set<string>()
  readonly #writing = new Map<string, Promise<void>>()
  readonly #waiting = new Map<string, () => Promise<void>>()

  constructor(table: SnapshotTable, logger: Logger) {
    this.#table = table
    this.#logger = logger
  }

  async load(name: string, stream: string): Promise<StoredSnapshot | undefined> {
    try {
      const text = await this.#table.load(name, stream)
      if (text === undefined) return undefined
      const snapshot = toSnapshot(text)
      if (typeof snapshot !== 'string') return snapshot
      this.ignored(name, stream, snapshot)
    } catch (error) {
      this.ignored(name, '', `snapshots cannot be read (${messageOf(error)})`)
    }
    return undefined
  }

  save(name: string, stream: string, snapshot: StoredSnapshot): void {
    const text = toText(snapshot)
    const key = `${name}/${stream}`
    this.#waiting.set(key, async () => {
      reach('store.snapshot.saving')
      await this.#table.save(name, stream, text)
      reach('store.snapshot.saved')
    })
    if (!this.#writing.has(key)) this.#writing.set(key, this.#write(key, name))
  }

  clear(): Promise<void> {
    return this.#table.clear()
  }

  async idle(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing.values())
  }

  ignored(name: string, stream: string, reason: string): void {
    const key = `${name}/${stream}/${reason}`
    if (this.#said.has(key)) return
    this.#said.add(key)
    const whose = stream === '' ? '' : ` of stream "${stream}"`
    this.#logger.warn({ snapshot: name, stream, reason }, `The snapshot "${name}"${whose} is not used: ${reason}`)
  }

  async #write(key: string, name: string): Promise<void> {
    for (let next = this.#waiting.get(key); next !== undefined; next = this.#waiting.get(key)) {
      this.#waiting.delete(key)
      try {
        await next()
      } catch (error) {
        this.ignored(name, '', `it could not be written (${messageOf(error)})`)
      }
    }
    this.#writing.delete(key)
  }
}
