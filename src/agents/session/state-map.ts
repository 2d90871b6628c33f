/** A key and its value. */
export type StateMapEntry<K, V> = readonly [K, V]
/** Up to 64 entries that follow each other. Never changed, so what is computed from one may be kept (a WeakMap). */
export type StateMapChunk<K, V> = readonly StateMapEntry<K, V>[]

const CHUNK_ENTRIES = 64

/**
 * A map that is never changed, only replaced, and shares what it can with the one before: a change copies one chunk and
 * the list of chunks, so that folding a long history is not quadratic. Keys stay in the order they came in.
 */
export class StateMap<K, V> implements ReadonlyMap<K, V> {
  readonly #chunks: readonly StateMapChunk<K, V>[]
  /** Where keys stand. Shared with the maps that grew out of this one; a place beyond `size` is not of this one. */
  readonly #places: Map<K, number>
  readonly size: number

  constructor(entries?: ReadonlyMap<K, V>, grown: GrownStateMap<K, V> = grownFrom(entries)) {
    this.#chunks = grown.chunks
    this.#places = grown.places
    this.size = grown.size
  }

  /** All entries, in order. */
  get chunks(): readonly StateMapChunk<K, V>[] {
    return this.#chunks
  }

  /** The map with this entry; this one stays as it is. */
  with(key: K, value: V): StateMap<K, V> {
    const known = this.#placeOf(key)
    const place = known ?? this.size
    const places = known === undefined ? this.#placesWith(key) : this.#places
    const chunks = [...this.#chunks]
    const number = Math.floor(place / CHUNK_ENTRIES)
    const chunk = [...(chunks[number] ?? [])]
    chunk[place % CHUNK_ENTRIES] = [key, value]
    chunks[number] = chunk
    return new StateMap<K, V>(undefined, { chunks, places, size: Math.max(this.size, place + 1) })
  }

  get(key: K): V | undefined {
    const place = this.#placeOf(key)
    if (place === undefined) return undefined
    return this.#chunks[Math.floor(place / CHUNK_ENTRIES)]?.[place % CHUNK_ENTRIES]?.[1]
  }

  has(key: K): boolean {
    return this.#placeOf(key) !== undefined
  }

  #placeOf(key: K): number | undefined {
    const place = this.#places.get(key)
    return place !== undefined && place < this.size ? place : undefined
  }

  /** A state is often folded twice with the same events: then the place is taken by this very key. */
  #placesWith(key: K): Map<K, number> {
    const taken = this.#places.get(key)
    const free = taken === undefined && this.#places.size === this.size
    if (free) this.#places.set(key, this.size)
    if (free || taken === this.size) return this.#places
    return new Map([...this.keys(), key].map((each, place) => [each, place]))
  }

  // Generator, not MapIterator: a user's TypeScript before 5.6 does not know that name.
  *entries(): Generator<[K, V], undefined> {
    for (const chunk of this.#chunks) for (const [key, value] of chunk) yield [key, value]
  }

  *keys(): Generator<K, undefined> {
    for (const chunk of this.#chunks) for (const entry of chunk) yield entry[0]
  }

  *values(): Generator<V, undefined> {
    for (const chunk of this.#chunks) for (const entry of chunk) yield entry[1]
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries()
  }

  forEach(each: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) each(value, key, this)
  }
}

/** What a map grew out of; of no use to anybody else. */
export interface GrownStateMap<K, V> {
  readonly chunks: readonly StateMapChunk<K, V>[]
  readonly places: Map<K, number>
  readonly size: number
}

function grownFrom<K, V>(entries: ReadonlyMap<K, V> = new Map()): GrownStateMap<K, V> {
  const places = new Map<K, number>()
  for (const key of entries.keys()) places.set(key, places.size)
  return { chunks: chunked([...entries]), places, size: entries.size }
}

function chunked<K, V>(entries: readonly StateMapEntry<K, V>[]): StateMapChunk<K, V>[] {
  const count = Math.ceil(entries.length / CHUNK_ENTRIES)
  return Array.from({ length: count }, (_, n) => entries.slice(n * CHUNK_ENTRIES, (n + 1) * CHUNK_ENTRIES))
}
