import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { PresenceBoard } from '../../src/store/kafka/presence-board.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'
import { numbered, startAppender } from './log-check.ts'

function beat(timestampMs: number, owners: readonly string[], withdrawn: readonly string[] = []) {
  return { timestampMs, value: Buffer.from(JSON.stringify({ owners, withdrawn })) }
}

function newBoard(): PresenceBoard {
  return new PresenceBoard({ leaseMs: 5000, graceMs: 2000, gapMs: 3000 })
}

describe('PresenceBoard', () => {
  it('an owner is alive for the lease time after it was heard, then dead', () => {
    const board = newBoard()
    board.take(beat(0, ['owner']))
    for (let ms = 1000; ms <= 5000; ms += 1000) board.take(beat(ms, []))
    expect(board.liveness('owner')).toBe('alive')
    board.take(beat(6000, []))
    expect(board.liveness('owner')).toBe('dead')
  })

  it('after a time in which nobody was heard, the living get a grace to be heard again', () => {
    const board = newBoard()
    board.take(beat(0, ['owner']))
    board.take(beat(60_000, []))
    expect(board.liveness('owner')).toBe('unknown')
    board.take(beat(61_000, []))
    expect(board.liveness('owner')).toBe('unknown')
    board.take(beat(62_000, []))
    expect(board.liveness('owner')).toBe('dead')
  })

  it('who was heard only before anybody watched is unknown: it may have been killed since', () => {
    const board = newBoard()
    board.take(beat(0, ['killed', 'living']))
    board.beginWatching()
    expect(board.liveness('killed')).toBe('unknown')
    for (let ms = 1000; ms <= 6000; ms += 1000) board.take(beat(ms, ['living']))
    expect(board.liveness('living')).toBe('alive')
    expect(board.liveness('killed')).toBe('dead')
  })

  it('who withdrew is dead at once, and alive again when it comes back', () => {
    const board = newBoard()
    board.take(beat(0, ['owner']))
    board.take(beat(10, [], ['owner']))
    expect(board.liveness('owner')).toBe('dead')
    board.take(beat(20, ['owner']))
    expect(board.liveness('owner')).toBe('alive')
  })

  it('who was never heard is unknown until a lease was heard, or the whole history', () => {
    const board = newBoard()
    for (let ms = 0; ms <= 5000; ms += 1000) board.take(beat(ms, []))
    expect(board.liveness('owner')).toBe('unknown')
    board.take(beat(6000, []))
    expect(board.liveness('owner')).toBe('dead')
    const whole = newBoard()
    whole.sawTheBeginning()
    whole.take(beat(0, []))
    expect(whole.liveness('owner')).toBe('dead')
  })

  it.each([-3_600_000, -20_000, 3_600_000])(
    'a clock of the broker that jumps by %i ms kills nobody, and the dead are found',
    (jumpMs) => {
      const board = newBoard()
      board.beginWatching()
      for (let ms = 0; ms <= 8000; ms += 1000)
        board.take(beat(10_000_000 + ms, ['living', ...(ms <= 6000 ? ['killed'] : [])]))
      board.take(beat(10_008_000 + jumpMs, ['other']))
      expect(board.liveness('living')).not.toBe('dead')
      board.take(beat(10_009_000 + jumpMs, ['living']))
      for (let ms = 9000; ms <= 16_000; ms += 1000) {
        board.take(beat(10_000_000 + ms + jumpMs, ['living']))
        expect(board.liveness('living')).toBe('alive')
      }
      expect(board.liveness('killed')).toBe('dead')
    },
  )

  it('its witnesses are those of all who announced it, or none where one has none', () => {
    const board = newBoard()
    const witness = (n: number) => ({ machine: 'm', id: `00000000-0000-4000-8000-00000000000${n}` })
    const announce = (ms: number, owner: string, by?: unknown) =>
      board.take({ timestampMs: ms, value: Buffer.from(JSON.stringify({ owners: [owner], witness: by })) })
    announce(0, 'owner', witness(1))
    announce(1, 'owner', witness(1))
    expect(board.witnessesOf('owner')).toEqual([witness(1)])
    announce(2, 'owner', witness(2))
    expect(board.witnessesOf('owner')).toEqual([witness(1), witness(2)])
    announce(3, 'owner')
    expect(board.witnessesOf('owner')).toBeUndefined()
    expect(board.witnessesOf('nobody')).toBeUndefined()
  })

  it.each([{ machine: 'm', id: '../../etc/passwd' }, { machine: 1, id: 'x' }, 'text', null])(
    'a witness that makes no sense is none: %j',
    (witness) => {
      const board = newBoard()
      board.take({ timestampMs: 0, value: Buffer.from(JSON.stringify({ owners: ['owner'], witness })) })
      expect(board.liveness('owner')).toBe('alive')
      expect(board.witnessesOf('owner')).toBeUndefined()
    },
  )

  it('a record by a stranger says nothing', () => {
    const board = newBoard()
    board.take(beat(0, ['owner']))
    for (const value of [null, Buffer.from('{"owners":'), Buffer.from('[]'), Buffer.from('{"withdrawn":"owner"}')]) {
      board.take({ timestampMs: 1, value })
    }
    expect(board.liveness('owner')).toBe('alive')
  })
})

describeKafka('presence on a broker', () => {
  it('an owner whose process was killed elsewhere is alive for its lease, then dead; the living stay alive', async () => {
    const prefix = uniquePrefix('presence')
    const brokers = kafkaBrokers.split(',')
    const store = await openKafkaStore({ brokers, prefix }, { leaseMs: 2000, topics: ONE_PARTITION })
    const living = await openKafkaStore({ brokers, prefix }, { leaseMs: 2000, topics: ONE_PARTITION })
    await living.presence.announce('living')
    const task = { brokers: kafkaBrokers, prefix, streams: ['s'], keys: numbered('k', 1), concurrency: 1 }
    const elsewhere = mkdtempSync(join(tmpdir(), 'duolog-elsewhere-')) // as in another container
    const killed = startAppender({ ...task, announce: 'killed' }, { TMPDIR: elsewhere })
    await expect.poll(() => killed.acknowledged.length, { timeout: 30_000 }).toBe(1)
    await expect.poll(() => store.presence.liveness('killed'), { timeout: 30_000 }).toBe('alive')
    killed.child.kill('SIGKILL')
    await expect.poll(() => store.presence.liveness('killed'), { timeout: 30_000, interval: 200 }).toBe('dead')
    await expect.poll(() => store.presence.liveness('living'), { timeout: 30_000 }).toBe('alive')
    await Promise.all([store.close(), living.close()])
    rmSync(elsewhere, { recursive: true })
  })

  it('of a process of this machine that was killed it is known at once, and whoever finds it tells those elsewhere', async () => {
    const prefix = uniquePrefix('witnessed')
    const connection = { brokers: kafkaBrokers.split(','), prefix }
    const options = { leaseMs: 3_600_000, topics: ONE_PARTITION }
    const [near, far] = [await openKafkaStore(connection, options), await openKafkaStore(connection, options)]
    const task = { brokers: kafkaBrokers, prefix, streams: ['s'], keys: numbered('k', 1), concurrency: 1 }
    const killed = startAppender({ ...task, announce: 'killed' })
    await expect.poll(() => killed.acknowledged.length, { timeout: 30_000 }).toBe(1)
    expect(await near.presence.liveness('killed')).not.toBe('dead')
    process.kill(Number(killed.child.pid), 'SIGSTOP') // frozen, it is not dead
    expect(await near.presence.liveness('killed')).not.toBe('dead')
    killed.child.kill('SIGKILL')
    await killed.ended
    expect(await near.presence.liveness('killed')).toBe('dead')
    expect(await far.presence.liveness('killed')).toBe('dead')
    await Promise.all([near.close(), far.close()])
  })

  it.each(['kafkajs', 'platformatic'] as const)('a store that closes withdraws its owners, with %s', async (driver) => {
    const connection = { brokers: kafkaBrokers.split(','), prefix: uniquePrefix(`leaving-${driver}`), driver }
    const options = { leaseMs: 3_600_000, topics: ONE_PARTITION }
    const [leaving, staying] = [await openKafkaStore(connection, options), await openKafkaStore(connection, options)]
    await leaving.presence.announce('leaving')
    await expect.poll(() => staying.presence.liveness('leaving'), { timeout: 30_000 }).toBe('alive')
    await leaving.close()
    expect(await staying.presence.liveness('leaving')).toBe('dead')
    await staying.close()
  })
})
