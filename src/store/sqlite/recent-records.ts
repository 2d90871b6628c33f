import type { RecordRow } from './rows.ts'

/*
 * The newest records of this process, as the file has them. Who follows a partition is mostly a few records behind, and
 * would ask the file for what was in hand a moment ago: for each partition, through the records of all others.
 *
 * The positions in here are consecutive, so whoever is at one of them finds all that came after it: what another process
 * writes in between begins them anew. Kept in two halves, the older of which goes as a whole.
 */

const HALF_RECORDS = 512
/** Of their data and headers, in characters. */
const HALF_CHARS = 512 * 1024

interface Place {
  readonly partition: number
  readonly offset: number
  /** Of the log: nothing of the partition from `offset` on is at it or before. */
  readonly position: number
}

type Written = readonly [topic: number, partition: number, row: RecordRow]

class Half {
  /** The position before its first. */
  readonly before: number
  readonly #rows = new Map<string, RecordRow[]>()
  count = 0
  chars = 0

  constructor(before: number) {
    this.before = before
  }

  get isFull(): boolean {
    return this.count >= HALF_RECORDS || this.chars >= HALF_CHARS
  }

  add([topic, partition, row]: Written): void {
    const key = `${topic}/${partition}`
    const rows = this.#rows.get(key)
    if (rows === undefined) this.#rows.set(key, [row])
    else rows.push(row)
    this.count++
    this.chars += row[8].length + (row[7]?.length ?? 0)
  }

  of(topic: number, partition: number): readonly RecordRow[] {
    return this.#rows.get(`${topic}/${partition}`) ?? []
  }
}

export class RecentRecords {
  #written: Written[] = []
  #older: Half | undefined
  #newer: Half | undefined
  #isWanted = false

  /** In the transaction; in here from `committed` on. */
  written(topic: number, partition: number, row: RecordRow): void {
    if (this.#isWanted) this.#written.push([topic, partition, row])
  }

  committed(): void {
    for (const written of this.#written) this.#add(written)
    this.#written = []
  }

  rolledBack(): void {
    this.#written = []
  }

  /**
   * The rows of a partition from the cursor's offset on, in order, for a log whose last position is `head`; nothing where not
   * all of them are in here. From the first question on they are kept.
   */
  from({ partition, offset, position }: Place, head: number, topic: number): readonly RecordRow[] | undefined {
    this.#isWanted = true
    const oldest = this.#older ?? this.#newer
    if (oldest === undefined || head !== this.#end || position < oldest.before) return undefined
    const newer = this.#newer?.of(topic, partition) ?? []
    const isBehindOlder = position >= (this.#newer?.before ?? 0)
    const rows = isBehindOlder ? newer : [...(this.#older?.of(topic, partition) ?? []), ...newer]
    return rows.slice(rows.findLastIndex((row) => row[0] < offset) + 1)
  }

  get #end(): number {
    return this.#newer === undefined ? -1 : this.#newer.before + this.#newer.count
  }

  #add(written: Written): void {
    const before = written[2][10] - 1
    if (before !== this.#end) {
      this.#older = undefined
      this.#newer = new Half(before)
    } else if (this.#newer?.isFull) {
      this.#older = this.#newer
      this.#newer = new Half(before)
    }
    this.#newer?.add(written)
  }
}
