/**
 * A map that is never changed, only replaced, and shares what it can with the one before: a change copies about the root
 * of its size, not all of it, so that folding a long history is not quadratic. Keys stay in the order they came in.
 */
export class StateMap<K, V> implements ReadonlyMap<K, V> {
  readonly #base: ReadonlyMap<K, V>
  readonly #changed: ReadonlyMap<K, V>
  readonly size: number

  constructor(base: ReadonlyMap<K, V> = new Map(), changed: ReadonlyMap<K, V> = new Map()) {
    this.#base = base
    this.#changed = changed
    let added = 0
    for (const key of changed.keys()) if (!base.has(key)) added += 1
    this.size = base.size + added
  }

  /** The map with this entry; this one stays as it is. */
  with(key: K, value: V): StateMap<K, V> {
    const changed = new Map(this.#changed).set(key, value)
    if (changed.size * changed.size <= this.#base.size + 64) return new StateMap(this.#base, changed)
    return new StateMap(new Map(this).set(key, value))
  }

  get(key: K): V | undefined {
    return this.#changed.get(key) ?? this.#base.get(key)
  }

  has(key: K): boolean {
    return this.#changed.has(key) || this.#base.has(key)
  }

  *entries(): MapIterator<[K, V]> {
    for (const [key, value] of this.#base) yield [key, this.#changed.get(key) ?? value]
    for (const entry of this.#changed) if (!this.#base.has(entry[0])) yield entry
  }

  *keys(): MapIterator<K> {
    for (const [key] of this.entries()) yield key
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  forEach(each: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) each(value, key, this)
  }
}
