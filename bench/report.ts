import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/*
 * What a bench says: progress to people on stderr, one JSON object as the last thing on stdout.
 */

export interface Result {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Like `>= 0.7 × the floor`; absent: shown for comparison only. */
  readonly goal?: string
  readonly met?: boolean
  readonly against: string
}

export interface Report {
  readonly bench: string
  readonly machine: string
  readonly notShown?: readonly string[]
  readonly results: readonly Result[]
}

/** What was asked for makes no sense. */
export class UsageError extends Error {}

/** @throws UsageError */
export function oneOf<T extends string>(option: string, value: string | undefined, all: readonly T[]): T | undefined {
  if (value === undefined) return undefined
  const known = all.find((one) => one === value)
  if (known === undefined) throw new UsageError(`${option} has "${value}"; there are ${all.join(', ')}`)
  return known
}

export function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Collects what the measurement before left behind, so that whoever comes next does not pay for it. */
export async function settle(): Promise<void> {
  collectGarbage()
  await new Promise((resolve) => setTimeout(resolve, 10))
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Milliseconds that `work` took. */
export async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
