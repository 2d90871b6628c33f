import type { FetchedRecord } from '../../kafka/driver.ts'
import type { Liveness } from '../event-store.ts'
import type { Witness } from './witnesses.ts'

/*
 * What the heartbeats say, by the broker's clock alone. Pure.
 *
 * A silence counts as death only while the topic itself was heard: after a time in which nobody at all was heard (the
 * broker was away, or everybody was), the living get a grace to be heard again. A clock of the broker that is put ahead
 * looks the same; one that is put back (or another broker's that is behind) goes on from where the last one was.
 */

export interface BoardOptions {
  readonly leaseMs: number
  readonly graceMs: number
  /** Silence of everybody for longer than this means that the topic itself was not heard. */
  readonly gapMs: number
}

export class PresenceBoard {
  readonly #options: BoardOptions
  readonly #lastHeard = new Map<string, number>()
  readonly #withdrawn = new Set<string>()
  /** Of each owner: who announced it, by its witness. */
  readonly #speakers = new Map<string, ReadonlyMap<string | undefined, Witness | undefined>>()
  #firstMs: number | undefined
  #nowMs = 0
  /** What the broker's clock was put back by, all in all. */
  #behindMs = 0
  /** Since when there was no gap in what was heard, of anybody. */
  #steadySinceMs = 0
  #complete = false
  #watchedSinceMs: number | undefined

  constructor(options: BoardOptions) {
    this.#options = options
  }

  /** The history was read from its first record: who is not in it was never there. */
  sawTheBeginning(): void {
    this.#complete = true
  }

  /**
   * What was heard so far is history: an owner that beat a second ago may have been killed since. Only a beat that comes
   * from now on shows that it lives.
   */
  beginWatching(): void {
    this.#watchedSinceMs ??= this.#nowMs
  }

  take({ timestampMs: brokerMs, value }: Pick<FetchedRecord, 'timestampMs' | 'value'>): void {
    const timestampMs = this.#steady(brokerMs)
    this.#firstMs ??= timestampMs
    if (timestampMs - this.#nowMs > this.#options.gapMs) this.#steadySinceMs = timestampMs
    this.#nowMs = Math.max(this.#nowMs, timestampMs)
    const { owners, withdrawn, witness } = parse(value)
    for (const owner of owners) {
      this.#lastHeard.set(owner, timestampMs)
      this.#withdrawn.delete(owner)
      this.#remember(owner, witness)
    }
    for (const owner of withdrawn) this.#withdrawn.add(owner)
  }

  #steady(brokerMs: number): number {
    const timestampMs = brokerMs + this.#behindMs
    if (timestampMs >= this.#nowMs - this.#options.gapMs) return timestampMs
    this.#behindMs += this.#nowMs - timestampMs
    return this.#nowMs
  }

  /** Nothing where somebody announced the owner who has no witness. */
  witnessesOf(owner: string): readonly Witness[] | undefined {
    const speakers = [...(this.#speakers.get(owner)?.values() ?? [undefined])]
    return speakers.every((witness) => witness !== undefined) ? speakers : undefined
  }

  #remember(owner: string, witness: Witness | undefined): void {
    const known = this.#speakers.get(owner)
    if (known?.has(witness?.id)) return
    this.#speakers.set(owner, new Map(known).set(witness?.id, witness))
  }

  liveness(owner: string): Liveness {
    if (this.#withdrawn.has(owner)) return 'dead'
    const heardMs = this.#lastHeard.get(owner)
    if (heardMs === undefined) return this.#neverHeard()
    if (this.#nowMs - heardMs <= this.#options.leaseMs) {
      return heardMs > (this.#watchedSinceMs ?? Number.NEGATIVE_INFINITY) ? 'alive' : 'unknown'
    }
    return this.#isSteady() ? 'dead' : 'unknown'
  }

  #neverHeard(): Liveness {
    if (this.#complete) return 'dead'
    const spanMs = this.#nowMs - (this.#firstMs ?? this.#nowMs)
    return spanMs > this.#options.leaseMs && this.#isSteady() ? 'dead' : 'unknown'
  }

  #isSteady(): boolean {
    return this.#nowMs - this.#steadySinceMs >= this.#options.graceMs
  }
}

interface Beat {
  readonly owners: readonly string[]
  readonly withdrawn: readonly string[]
  readonly witness: Witness | undefined
}

/** A stranger's record says nothing about anybody. */
function parse(value: Buffer | null): Beat {
  const { owners, withdrawn, witness } = fieldsOf(value)
  return { owners: texts(owners), withdrawn: texts(withdrawn), witness: witnessOf(witness) }
}

function fieldsOf(value: Buffer | null): Record<string, unknown> {
  try {
    return record(JSON.parse(value?.toString() ?? ''))
  } catch {
    return {}
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** Its id is the name of a file, so it is one of ours or none. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function witnessOf(value: unknown): Witness | undefined {
  const { machine, id } = record(value)
  return typeof machine === 'string' && typeof id === 'string' && ID.test(id) ? { machine, id } : undefined
}
