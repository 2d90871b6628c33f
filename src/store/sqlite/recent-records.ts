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
  readonly offset: number
  /** Of the log: nothing of the partition from `offset` on is at it or before. */
  readonly position: number
}

type Written = readonly [partition: string, row: RecordRow]

class Half {
  /** The position before its first. */
  readonly before: number
  readonly #rows = new Map<string, RecordRow[]>()
  #count = 0
  #chars = 0

  constructor(before: number) {
    this.before = before
  }

  /** The position of its last. */
  get end(): number {
    return this.before + this.#count
  }

  get isFull(): boolean {
    return this.#count >= HALF_RECORDS || this.#chars >= HALF_CHARS
  }

  add([partition, row]: Written): void {
    const rows = this.#rows.get(partition)
    if (rows === undefined) this.#rows.set(partition, [row])
    else rows.push(row)
    this.#count++
    this.#chars += row[8].length + (row[7]?.length ?? 0)
  }

  of(partition: string): readonly RecordRow[] {
    return this.#rows.get(partition) ?? []
  }
}

/** A partition is named by a text of the caller's. */
export class RecentRecords {
  #written: Written[] = []
  /** None, one or two, the newer last. */
  #halves: readonly Half[] = []
  #isWanted = false

  /** In the transaction; in here from `committed` on. */
  written(partition: string, row: RecordRow): void {
    if (this.#isWanted) this.#written.push([partition, row])
  }

  committed(): void {
    for (const written of this.#written) this.#halfFor(written[1]).add(written)
    this.#written = []
  }

  rolledBack(): void {
    this.#written = []
  }

  /**
   * The rows of a partition from the place's offset on, in order, for a log whose last position is `head`; nothing where not
   * all of them are in here. From the first question on they are kept.
   */
  from(partition: string, { offset, position }: Place, head: number): readonly RecordRow[] | undefined {
    this.#isWanted = true
    const [oldest] = this.#halves
    if (oldest === undefined || head !== this.#halves.at(-1)?.end || position < oldest.before) return undefined
    const rows = this.#halves.filter((half) => half.end > position).flatMap((half) => half.of(partition))
    return rows.slice(rows.findLastIndex((row) => row[0] < offset) + 1)
  }

  #halfFor(row: RecordRow): Half {
    const before = row[10] - 1
    const newest = this.#halves.at(-1)
    const follows = newest?.end === before
    if (follows && !newest.isFull) return newest
    const half = new Half(before)
    this.#halves = follows ? [newest, half] : [half]
    return half
  }
}
