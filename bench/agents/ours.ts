import { tmpdir } from 'node:os'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { onReach } from '../../src/core/reach.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type InstantOptions, instantExecutor } from './instant.ts'

export interface Ours {
  readonly store: EventStore
  readonly coordinator: KafkaAgentCoordinator
  close(): Promise<void>
}

export async function openOurs(url: string, options: InstantOptions = {}): Promise<Ours> {
  const store = await openEventStore(url)
  const coordinator = new KafkaAgentCoordinator({
    store,
    executor: instantExecutor(options),
    workDirChanges: false,
    gates: false,
  })
  return {
    store,
    coordinator,
    async close() {
      await coordinator.close()
      await store.close()
    },
  }
}

/** Runs a session to its end; anything but a completed one is no measurement. */
export async function runSession({ coordinator }: Ours): Promise<void> {
  const view = await coordinator.run('Measure', { workDir: tmpdir() })
  if (view.status !== 'completed') throw new Error(`A session has ${view.status}: ${view.reason}`)
}

/** Transactions the file log has committed while `work` ran; each is one sync of the write-ahead log. */
export async function countingCommits<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly commits: number }> {
  let commits = 0
  const stop = onReach((point) => {
    if (point === 'file.commit.done') commits += 1
  })
  try {
    const value = await work()
    return { value, commits }
  } finally {
    stop()
  }
}
