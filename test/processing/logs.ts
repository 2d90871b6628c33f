import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Catalogue } from '../../src/core/catalogue.ts'
import type { AnyEvent } from '../../src/core/event.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

/** One kind of log: gives a new log's URL; `folder` is the test's own. */
export interface LogKind {
  readonly name: string
  readonly newUrl: (folder: string) => string
}

let names = 0

export const localLogs: readonly LogKind[] = [
  { name: 'memory', newUrl: () => `memory:processing-${process.pid}-${names++}` },
  { name: 'file', newUrl: (folder) => `file:${join(folder, 'run.db')}` },
]

/** Hands for one test file: opened stores are closed, running things stopped, folders removed after each test. */
export function workbench() {
  const cleanUp: (() => unknown)[] = []
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step()
  })
  const later = <T>(step: () => T) => void cleanUp.push(step)
  return {
    later,
    folder(): string {
      const folder = mkdtempSync(join(tmpdir(), 'duolog-processing-'))
      later(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
      return folder
    },
    async open<E extends AnyEvent>(url: string, events?: Catalogue<E>): Promise<EventStore<E>> {
      const store = await openEventStore<E>(url, events && { events })
      later(() => store.close())
      return store
    },
    /** Stops it after the test. */
    running<T extends { stop(): Promise<void> }>(running: T): T {
      later(() => running.stop())
      return running
    },
  }
}

/** Asks until the answer is yes; the test's own time-out ends it. */
export async function until(yes: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await yes())) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** What to say when it is not so in time: what was waited for, and how things stand. */
export interface WaitedFor {
  readonly what: string
  /** Before the test's own time-out, or nothing is said. Default 90,000. */
  readonly limitMs?: number
  readonly stand: () => unknown
}

/** As `until`, but rejects with how things stand, also when the question itself gets no answer. */
export async function untilOrSay(
  yes: () => boolean | Promise<boolean>,
  { what, limitMs = 90_000, stand }: WaitedFor,
): Promise<void> {
  let isOver = false
  const over = Promise.withResolvers<'over'>()
  const timer = setTimeout(() => over.resolve('over'), limitMs)
  const asked = { times: 0, waits: false }
  const ask = async () => {
    asked.times++
    asked.waits = true
    const answer = await yes()
    asked.waits = false
    return answer
  }
  const answered = until(async () => isOver || (await ask()))
  const end = await Promise.race([answered, over.promise]).finally(() => clearTimeout(timer))
  isOver = true
  if (end !== 'over') return
  const said = await Promise.race([stand(), new Promise((resolve) => setTimeout(resolve, 5_000, 'no answer in 5 s'))])
  const last = asked.waits ? 'the last question has no answer' : 'each question was answered'
  throw new Error(
    `Not in ${limitMs} ms: ${what}. Asked ${asked.times} times; ${last}. ${JSON.stringify(said, null, 1)}`,
  )
}
