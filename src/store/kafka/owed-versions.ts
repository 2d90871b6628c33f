/*
 * Versions of streams that messages in this process's hands tell of, and that a read must show (L8). Kept until a read has
 * looked: who never reads owes no more than a mark.
 */

const MAX_STREAMS = 1000

/** Versions by stream, or all there is. */
export type Owed = ReadonlyMap<string, number> | 'everything'

export class OwedVersions {
  #owed: Map<string, number> | 'everything' = new Map()

  add(stream: string, version: number): void {
    if (this.#owed === 'everything' || (this.#owed.get(stream) ?? 0) >= version) return
    this.#owed.set(stream, version)
    if (this.#owed.size > MAX_STREAMS) this.#owed = 'everything'
  }

  /** What is not there yet, if anything; nothing is owed then until more is added. */
  take(versionOf: (stream: string) => number): Owed | undefined {
    const owed = this.#owed
    if (owed !== 'everything') {
      for (const [stream, version] of owed) if (versionOf(stream) >= version) owed.delete(stream)
      if (owed.size === 0) return undefined
    }
    this.#owed = new Map()
    return owed
  }

  /** It could not be looked for. */
  putBack(owed: Owed): void {
    if (owed === 'everything') this.#owed = owed
    else for (const [stream, version] of owed) this.add(stream, version)
  }
}
