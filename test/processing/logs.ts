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
