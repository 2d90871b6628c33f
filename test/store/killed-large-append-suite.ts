import { expect, it } from 'vitest'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { startProgram } from '../support/program.ts'
import { type LargeAppendProgram, textOf } from './large-append-program.ts'

/*
 * A process is killed at each step on the way of a large event: its bytes half there, there, and in a transaction that
 * nobody ends. What a reader finds then, and what the next attempt with the same idempotency key does.
 */

export interface KilledAt {
  readonly point: string
  readonly time: number
  /** Whether the append is in the log though nobody was told. */
  readonly survives: boolean
}

export interface KilledLargeAppends {
  readonly points: readonly KilledAt[]
  readonly size: number
  url(): string
}

const program = new URL('./large-append-program.ts', import.meta.url)

function run(task: LargeAppendProgram) {
  return startProgram(program, task)
}

export function killedLargeAppendSuite({ points, size, url }: KilledLargeAppends): void {
  it.each(points)('P2 P5 G1 killed at $point, time $time: whole or not there; again is once', async (killedAt) => {
    const { survives, ...dieAt } = killedAt
    const task = (idempotencyKey: string) => ({ url: url(), stream: 'calls-1', idempotencyKey, size })
    const before = run(task('before'))
    expect(await before.ended).toMatchObject({ code: 0 })
    const victim = run({ ...task('again'), dieAt })
    expect((await victim.ended).signal).toBe('SIGKILL')
    expect(victim.lines).toEqual([])

    const whole = (key: string) => ['Begun', textOf({ idempotencyKey: key, size }), 'Ended']
    expect(await readAll(task('').url)).toEqual(survives ? [...whole('before'), ...whole('again')] : whole('before'))

    const retried = run(task('again'))
    expect(await retried.ended).toMatchObject({ code: 0 })
    expect(retried.lines.map((line) => JSON.parse(line))).toEqual([{ firstStreamPosition: 4, repeated: survives }])
    expect(await readAll(task('').url)).toEqual([...whole('before'), ...whole('again')])
  })
}

/** Of each event its type, or its large text; every event must be in its place, and come whole. */
async function readAll(url: string): Promise<readonly string[]> {
  const store = await openEventStore(url)
  try {
    const found: string[] = []
    for await (const { streamPosition, type, data } of store.readStream('calls-1')) {
      expect(streamPosition).toBe(found.length + 1)
      found.push(type === 'Answered' ? (data as { text: string }).text : type)
    }
    return found
  } finally {
    await store.close()
  }
}
