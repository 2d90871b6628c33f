import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { reach } from '../../src/core/reach.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { type ArmedFault, faultAt, faultyStore } from '../../src/testing/faults.ts'
import { ProcessSpecification } from '../../src/testing/process-specification.ts'
import { ProjectionSpecification } from '../../src/testing/projection-specification.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { type Counted, counts } from '../processing/projection-suite.ts'
import { fulfilment, type ShopEvent } from '../processing/shop.ts'

const added = (n: number, stream?: string) =>
  ({ type: 'Added', data: { n }, ...(stream && { stream }) }) as Counted & { stream?: string }
const cleared: Counted = { type: 'Cleared', data: {} }

describe('given events, then rows', () => {
  const given = ProjectionSpecification.for(counts())

  it('passes what is so', () => {
    given([]).thenRows({})
    given([added(1), added(2), added(5, 'b')]).thenRows({ 'stream-1': { count: 2, sum: 3 }, b: { count: 1, sum: 5 } })
    given([added(1), cleared]).thenRows({})
    given([added(1), cleared]).thenRow('stream-1', undefined)
    given([added(1)]).thenRow('stream-1', { count: 1, sum: 1 })
  })

  it('fails what is not', () => {
    expect(() => given([added(1)]).thenRows({})).toThrow()
    expect(() => given([added(1)]).thenRow('stream-1', { count: 1, sum: 2 })).toThrow()
    expect(() => given([added(1)]).thenThrows()).toThrow()
    const broken = { ...counts(), evolve: () => expect.fail('cannot') }
    ProjectionSpecification.for(broken)([added(1)]).thenThrows(/cannot/)
  })

  it('gives rows back as a view store does, and fails what it could not keep', () => {
    const dated = defineProjection({
      name: 'dated',
      initialState: (): { at?: unknown; n?: unknown } => ({}),
      evolve: (row, _event: Counted) => ({ ...row, at: new Date(0) }),
    })
    ProjectionSpecification.for(dated)([added(1)]).thenRow('stream-1', { at: '1970-01-01T00:00:00.000Z' })
    const big = { ...dated, evolve: () => ({ n: 1n }) }
    ProjectionSpecification.for(big)([added(1)]).thenThrows(/row\.n is a BigInt/)
    expect(() => ProjectionSpecification.for(big)([added(1)]).thenRow('stream-1', { n: 1n })).toThrow('BigInt')
  })

  it('fails a projection that is not pure (P1)', () => {
    const changing = { ...counts(), evolve: (row: { count: number; sum: number }) => Object.assign(row, { count: 9 }) }
    expect(() => ProjectionSpecification.for(changing)([added(1)]).thenRows({})).toThrow(/read only/)
    let calls = 0
    const counting = { ...counts(), evolve: () => ({ count: ++calls, sum: 0 }) }
    expect(() => ProjectionSpecification.for(counting)([added(1)]).thenRows({})).toThrow('not pure')
  })
})

describe('given what it heard, when, then it sends', () => {
  const given = ProcessSpecification.for(fulfilment)
  const heard = (type: ShopEvent['type']): ShopEvent => ({ type, data: { order: 'o' } }) as ShopEvent
  const paid = [heard('OrderPlaced'), heard('StockReserved')]

  it('passes what is so, and time goes by without waiting', () => {
    given().when(heard('OrderPlaced')).thenSends('ReserveStock')
    given(heard('OrderPlaced'))
      .when(heard('StockReserved'))
      .thenSends({ type: 'TakePayment', data: { order: 'o' } })
    given(...paid)
      .when({ afterMs: 999 })
      .thenNothingHappened()
    given(...paid)
      .when({ afterMs: 1000 })
      .thenSends('RefundPayment')
    given(...paid, { afterMs: 1000 })
      .when(heard('PaymentRefunded'))
      .thenSends('ReleaseStock')
    const end = given(...paid, { afterMs: 1000 }, heard('PaymentRefunded')).when(heard('StockReleased'))
    end.thenState({ status: 'compensated', steps: { payment: 'compensated', stock: 'compensated' } })
    expect(end.events.at(-1)?.type).toBe('ProcessCompensated')
    // Two attempts, a minute each without an answer, 100 ms between them.
    given(...paid, heard('PaymentRefused'))
      .when({ afterMs: 200_000 })
      .thenState({ status: 'partly-compensated' })
  })

  it('fails what is not', () => {
    const placed = given().when(heard('OrderPlaced'))
    expect(() => placed.thenSends()).toThrow()
    expect(() => placed.thenSends('TakePayment')).toThrow()
    expect(() => placed.thenSends({ type: 'ReserveStock', data: { order: 'other' } })).toThrow()
    expect(() => placed.thenNothingHappened()).toThrow()
    expect(() => placed.thenState({ status: 'completed' })).toThrow()
    let n = 0
    const moody = { ...fulfilment, nextActions: () => (n++ % 2 ? [] : [{ kind: 'complete' as const }]) }
    expect(() => ProcessSpecification.for(moody)().when(heard('OrderPlaced'))).toThrow('not pure')
  })
})

describe('faults', () => {
  const faults: ArmedFault[] = []
  afterEach(() => {
    for (const fault of faults.splice(0)) fault.disarm()
  })

  it('strike at a named point, so often, after so many times, until they are disarmed', () => {
    const fault = faultAt('test.point', { error: new Error('struck'), after: 1, times: 2 })
    faults.push(fault, faultAt('test.other', { error: new Error('other') }))
    const outcomes = Array.from({ length: 5 }, () => attempt(() => reach('test.point')))
    expect(outcomes).toEqual(['ok', 'struck', 'struck', 'ok', 'ok'])
    expect(fault.struck).toBe(2)
    fault.disarm()
    expect(attempt(() => reach('test.other'))).toBe('other')
  })

  it('a fault between the rows of a view and its commit undoes both: the view ends right', async () => {
    const store = openMemoryStore({ topics: { 'session.events': { partitions: 1 } } })
    const folder = mkdtempSync(join(tmpdir(), 'duolog-faults-'))
    const views = await sqliteViews(join(folder, 'views.db'))
    const fault = faultAt('views.apply.written', { error: new Error('struck') })
    faults.push(fault)
    const errors: unknown[] = []
    const onError = (error: unknown) => void errors.push(error)
    const view = startProjection({ store: store as never, projection: counts(), views, onError })
    const last = await store.appendToStream('s', [added(1), added(2)])
    expect(await view.get('s', { after: last })).toEqual({ count: 2, sum: 3 })
    expect([fault.struck, errors.length]).toEqual([1, 1])
    await view.stop()
    await views.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('a fault before a process hears an event: it is heard once all the same', async () => {
    const store = openMemoryStore()
    const fault = faultAt('process.observe.begin', { error: new Error('struck') })
    faults.push(fault)
    const errors: unknown[] = []
    const manager = startProcessManager({
      store: store as never,
      manager: fulfilment,
      onError: (error) => void errors.push(error),
    })
    await store.appendToStream('o', [{ type: 'OrderPlaced', data: { order: 'o' } }])
    await expect.poll(async () => (await manager.load('o')).steps.stock, { timeout: 10_000 }).toBe('started')
    expect([fault.struck, errors.length]).toEqual([1, 1])
    await manager.stop()
    await store.close()
  })

  it('a faulty store refuses, loses answers and is late by plan', async () => {
    const store = openMemoryStore()
    const faulty = faultyStore(store, {
      appends: [{ failBefore: new Error('before') }, { failAfter: new Error('after') }, { delayMs: 1 }],
    })
    const append = () => faulty.appendToStream('s', [cleared], { idempotencyKey: 'k' })
    await expect(append()).rejects.toThrow('before')
    expect((await store.aggregateStream('s', { initialState: () => 0, evolve: (n) => n + 1 })).state).toBe(0)
    await expect(append()).rejects.toThrow('after')
    expect(await append()).toMatchObject({ repeated: true, currentStreamVersion: 1 })
    expect(await append()).toMatchObject({ repeated: true })
    const never = faultyStore(store, { appends: (stream) => (stream === 't' ? { failBefore: new Error('t') } : 'ok') })
    await expect(never.appendToStream('t', [cleared])).rejects.toThrow('t')
    await expect(never.appendToStream('u', [cleared])).resolves.toBeDefined()
    await faulty.close()
    await expect(store.appendToStream('s', [cleared])).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })
})

describe('the virtual clock', () => {
  it('moves whoever waits by it, forward only; a signal ends the waiting', async () => {
    const clock = virtualClock(0)
    const order: string[] = []
    const wait = (ms: number) => clock.after(ms).then(() => order.push(`${ms} at ${clock.now()}`))
    const waits = [wait(100), wait(50)]
    clock.set(-1000)
    clock.advance(1050)
    await waits[1]
    expect(order).toEqual(['50 at 50'])
    clock.advance(50)
    await Promise.all(waits)
    const abort = new AbortController()
    const given = clock.after(1_000_000, abort.signal)
    abort.abort()
    await given
    await clock.after(0)
  })
})

function attempt(action: () => void): string {
  try {
    action()
    return 'ok'
  } catch (error) {
    return (error as Error).message
  }
}
