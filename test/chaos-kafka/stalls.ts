import type { Line } from './journal.ts'
import type { Kill } from './schedule.ts'
import type { Span } from './writers.ts'

/*
 * How long nobody got an answer in a partition although somebody waited for one: from one acknowledgement to the next
 * in the same partition, less the time in which nobody waited who was answered later. Callers whose process was frozen
 * meanwhile do not count as waiting, they would have measured their own freeze.
 */

export interface Stall extends Span {
  readonly partition: number
}

interface Acknowledgement {
  readonly askedMs: number
  readonly atMs: number
  readonly partition: number
  readonly counts: boolean
}

export interface WriterRecord {
  readonly lines: readonly Line[]
  readonly freezes: readonly Span[]
}

export function stallsOf(writers: readonly WriterRecord[], partitionOf: ReadonlyMap<string, number>): readonly Stall[] {
  const acknowledgements = writers.flatMap((writer) => acknowledgementsOf(writer, partitionOf))
  const byPartition = Map.groupBy(acknowledgements, ({ partition }) => partition)
  return [...byPartition].flatMap(([partition, answered]) => gapsOf(answered).map((gap) => ({ partition, ...gap })))
}

function gapsOf(answered: readonly Acknowledgement[]): readonly Span[] {
  const inOrder = answered.toSorted((a, b) => b.atMs - a.atMs)
  let askedMs = Number.POSITIVE_INFINITY
  const gaps: Span[] = []
  inOrder.forEach((one, index) => {
    // From the last to the first: the earliest question among all that were answered now or later.
    if (one.counts) askedMs = Math.min(askedMs, one.askedMs)
    const fromMs = Math.max(askedMs, inOrder[index + 1]?.atMs ?? 0)
    if (fromMs < one.atMs) gaps.push({ fromMs, toMs: one.atMs })
  })
  return gaps.reverse()
}

function acknowledgementsOf(
  { lines, freezes }: WriterRecord,
  partitionOf: ReadonlyMap<string, number>,
): readonly Acknowledgement[] {
  const asks = new Map<string, { readonly stream: string; readonly atMs: number }>()
  return lines.flatMap((line) => {
    if (line.kind === 'ask') asks.set(line.key, line)
    const ask = asks.get(line.key)
    if (line.kind !== 'ack' || ask === undefined) return []
    const { stream, atMs: askedMs } = ask
    const counts = !freezes.some(({ fromMs, toMs }) => fromMs <= line.atMs && askedMs <= toMs)
    return [{ askedMs, atMs: line.atMs, partition: partitionOf.get(stream) ?? -1, counts }]
  })
}

export function longest(stalls: readonly Stall[]): number {
  return stalls.reduce((most, { fromMs, toMs }) => Math.max(most, toMs - fromMs), 0)
}

/** The longest stall that was there at, or began soon after, each of these deaths. */
export function afterDeaths(stalls: readonly Stall[], deaths: readonly Kill[], withinMs: number): readonly number[] {
  return deaths.map(({ atMs }) =>
    longest(stalls.filter(({ fromMs, toMs }) => toMs >= atMs && fromMs <= atMs + withinMs)),
  )
}

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}
