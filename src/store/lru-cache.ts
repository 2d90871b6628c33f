/** Keeps the entries used last; the oldest falls out. */
export class LruCache<Key, Value> {
  readonly #max: number
  readonly #entries = new Map<Key, Value>()
  /** Stands last already: to move an entry makes garbage, and the one asked for is most often the one used before. */
  #newest: Key | undefined

  constructor(max: number) {
    this.#max = max
  }

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined && key !== this.#newest) this.#renew(key, value)
    return value
  }

  set(key: Key, value: Value): void {
    if (this.#max <= 0) return
    if (key === this.#newest) this.#entries.set(key, value)
    else this.#renew(key, value)
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value!)
  }

  delete(key: Key): void {
    this.#entries.delete(key)
  }

  #renew(key: Key, value: Value): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    this.#newest = key
  }
}
