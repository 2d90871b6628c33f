import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { EventStore } from '../../../src/store/event-store.ts'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'
import { type Child, startProgram } from '../../support/program.ts'
import type { GuestProgram } from './guest-program.ts'
import { type TempLog, tempLog } from './temp-log.ts'

/** What processes on one file know of each other: who lives, who works on what, when something happened. */

const PATIENCE = { timeout: 60_000, interval: 20 }
const LEASE_MS = 800

let log: TempLog
let store: EventStore
const children: Child[] = []

beforeEach(async () => {
  log = tempLog()
  store = await openSqliteStore({ path: log.path }, { leaseMs: LEASE_MS })
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.process.kill('SIGKILL')
    await child.ended
  }
  await store.close()
  log.remove()
})

function start(guest: Omit<GuestProgram, 'path'>): Child {
  const child = startProgram(new URL('./guest-program.ts', import.meta.url), {
    path: log.path,
    leaseMs: LEASE_MS,
    ...guest,
  })
  children.push(child)
  return child
}

async function announced(name: string, leaseMs = LEASE_MS): Promise<Child> {
  const child = start({ role: 'owner', name, leaseMs })
  await child.said('announced')
  return child
}

describe('presence', () => {
  it('an owner in another process is alive; killed with SIGKILL it is dead at the first look', async () => {
    const child = await announced('worker')
    expect(await store.presence.liveness('worker')).toBe('alive')
    child.process.kill('SIGKILL')
    await child.ended
    expect(await store.presence.liveness('worker')).toBe('dead')
  })

  it('what the dead left behind is cleaned up', async () => {
    const child = await announced('worker')
    child.process.kill('SIGKILL')
    await child.ended
    expect(readdirSync(`${log.path}-alive`)).toHaveLength(1)
    const own = await store.presence.announce('me')
    expect(readdirSync(`${log.path}-alive`)).toHaveLength(1)
    expect(await store.presence.liveness('me')).toBe('alive')
    await own.withdraw()
  })

  it('a frozen owner is never called dead at once, but when it was silent for the lease; awake again it lives', async () => {
    const child = await announced('worker')
    child.process.kill('SIGSTOP')
    expect(await store.presence.liveness('worker')).not.toBe('dead')
    await vi.waitFor(async () => expect(await store.presence.liveness('worker')).toBe('dead'), PATIENCE)
    child.process.kill('SIGCONT')
    await vi.waitFor(async () => expect(await store.presence.liveness('worker')).toBe('alive'), PATIENCE)
  })

  it.each([-3_600_000, 3_600_000])(
    'a clock that jumps by %i ms kills nobody, and the frozen are found',
    async (jumpMs) => {
      const [living, frozen] = [await announced('living'), await announced('frozen')]
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jumpMs })
      onTestFinished(() => void vi.useRealTimers())
      const look = (name: string) => store.presence.liveness(name)
      expect([await look('living'), await look('frozen')]).not.toContain('dead')
      frozen.process.kill('SIGSTOP')
      await vi.waitFor(async () => expect(await look('frozen')).toBe('dead'), PATIENCE)
      expect(await look('living')).not.toBe('dead')
      living.process.kill('SIGKILL')
      await living.ended
      expect(await look('living')).toBe('dead')
    },
  )

  it('an owner announced by two processes lives until both are gone', async () => {
    const one = await announced('worker')
    const two = await announced('worker')
    one.process.kill('SIGKILL')
    await one.ended
    expect(await store.presence.liveness('worker')).toBe('alive')
    two.process.kill('SIGKILL')
    await two.ended
    expect(await store.presence.liveness('worker')).toBe('dead')
  })
})

it('a wait in another process ends when this one appends', async () => {
  const child = start({ role: 'waiter', name: 's' })
  await child.said('waiting')
  await store.appendToStream('s', [{ type: 'Added', data: { n: 1 } }])
  expect(await child.said('reached')).toBe('reached 1')
  expect((await child.ended).code).toBe(0)
})

describe('groups', () => {
  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'partitions of a member hit by %s go to the living, from its checkpoint',
    async (signal) => {
      const child = start({ role: 'member', name: 'g', stuckAt: 1 })
      await child.said('ready')
      await store.appendToStream(
        's',
        [0, 1, 2].map((n) => ({ type: 'Added', data: { n } })),
      )
      await child.said('handling 1')
      child.process.kill(signal)
      const handled: number[] = []
      const consumer = store.consume({
        group: 'g',
        topics: ['session.events'],
        handler: async ({ data }) => {
          handled.push((data as { n: number }).n)
        },
      })
      await vi.waitFor(() => expect(handled).toEqual([1, 2]), PATIENCE)
      await consumer.stop()
    },
  )

  it('P8 who was frozen and lost its partition is fenced', async () => {
    const checkpoints: Parameters<Parameters<EventStore['consume']>[0]['handler']>[1]['checkpoint'][] = []
    const child = start({ role: 'member', name: 'g' })
    await child.said('ready')
    child.process.kill('SIGSTOP')
    const consumer = store.consume({
      group: 'g',
      topics: ['session.events'],
      handler: async (_, { checkpoint }) => {
        checkpoints.push(checkpoint)
      },
    })
    await store.appendToStream('s', [{ type: 'Added', data: { n: 1 } }])
    await vi.waitFor(() => expect(checkpoints).toHaveLength(1), PATIENCE)
    await consumer.stop()
    const [stale] = checkpoints
    const append = store.appendToStream('effect', [{ type: 'Done', data: 1 }], { ...(stale && { checkpoint: stale }) })
    await expect(append).rejects.toMatchObject({ code: 'CHECKPOINT_FENCED' })
    const { streamExists } = await store.aggregateStream('effect', {
      evolve: (n: number) => n + 1,
      initialState: () => 0,
    })
    expect(streamExists).toBe(false)
  })
})
