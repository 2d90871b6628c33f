import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { fold } from '../../src/core/decider.ts'
import { type ProcessCommand, processDecider } from '../../src/processing/process-decider.ts'
import type { ProcessEvent } from '../../src/processing/process-events.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { TimerIndex } from '../../src/processing/timer-index.ts'
import { DeciderSpecification } from '../../src/testing/decider-specification.ts'
import { fulfilment } from './shop.ts'

setFlagsFromString('--expose-gc')

const decider = processDecider(fulfilment)
const given = DeciderSpecification.for(decider)
let ids = 0
const observe = (type: string, nowMs = 0): ProcessCommand => {
  return { kind: 'observe', event: { eventId: `e${ids++}`, type, data: { order: 'o1' } }, nowMs }
}
const fire = (timer: string, nowMs: number): ProcessCommand => ({ kind: 'timer', timer, nowMs })

/** All events after these commands. */
function eventsAfter(...commands: ProcessCommand[]): ProcessEvent[] {
  const history: ProcessEvent[] = []
  for (const command of commands)
    history.push(...decider.decide(command, fold(decider, decider.initialState(), history)))
  return history
}
const stateAfter = (...commands: ProcessCommand[]) => fold(decider, decider.initialState(), eventsAfter(...commands))
const names = (events: readonly ProcessEvent[]) =>
  events.map(({ type, data }) =>
    'step' in data ? `${type} ${data.step}` : 'timer' in data ? `${type} ${data.timer}` : type,
  )

describe('a process as a decider (P1)', () => {
  it('what was heard and what follows are one decision', () => {
    const placed = observe('OrderPlaced')
    given([])
      .when(placed)
      .then([
        {
          type: 'ProcessObserved',
          data: { ...('event' in placed ? placed.event : { eventId: '', type: '' }) } as never,
        },
        { type: 'StepStarted', data: { step: 'stock' } },
      ])
  })

  it('goes from step to step to its end, and hears nothing after it', () => {
    const road = ['OrderPlaced', 'StockReserved', 'PaymentTaken', 'OrderShipped'].map((type) => observe(type))
    expect(names(eventsAfter(...road))).toEqual([
      'ProcessObserved',
      'StepStarted stock',
      'ProcessObserved',
      'StepCompleted stock',
      'StepStarted payment',
      'TimerScheduled step/payment',
      'ProcessObserved',
      'StepCompleted payment',
      'TimerCancelled step/payment',
      'StepStarted shipping',
      'ProcessObserved',
      'StepCompleted shipping',
      'ProcessCompleted',
    ])
    given(eventsAfter(...road))
      .when(observe('PaymentRefused'))
      .thenNothingHappened()
  })

  it('a timer fires once, and not before it is due', () => {
    const begun = [observe('OrderPlaced'), observe('StockReserved', 100)]
    given(eventsAfter(...begun))
      .when(fire('step/payment', 1099))
      .thenNothingHappened()
    const fired = eventsAfter(...begun, fire('step/payment', 1100))
    expect(names(fired)).toContain('StepTimedOut payment')
    given(fired).when(fire('step/payment', 9999)).thenNothingHappened()
  })

  it('undoes what is done or in doubt, the last one first, one after the other', () => {
    const timedOut = [observe('OrderPlaced'), observe('StockReserved'), fire('step/payment', 1000)]
    expect(stateAfter(...timedOut).compensation).toMatchObject({ queue: ['payment', 'stock'], attempts: 1 })
    expect(names(eventsAfter(...timedOut)).slice(-2)).toEqual([
      'CompensationRequested payment',
      'TimerScheduled answer/payment',
    ])
    const refunded = [...timedOut, observe('PaymentRefunded', 2000)]
    expect(stateAfter(...refunded).compensation).toMatchObject({ queue: ['stock'], attempts: 1 })
    const done = stateAfter(...refunded, observe('StockReleased', 3000))
    expect(done).toMatchObject({
      status: 'compensated',
      steps: { payment: 'compensated', stock: 'compensated' },
      pending: {},
    })
  })

  it('what failed for certain needs no undoing', () => {
    const refused = stateAfter(observe('OrderPlaced'), observe('StockReserved'), observe('PaymentRefused'))
    expect(refused.compensation?.queue).toEqual(['stock'])
  })

  it('a compensation is tried again after a pause, then given up; what is left is said', () => {
    const road = [observe('OrderPlaced'), observe('StockReserved'), observe('PaymentRefused', 10)]
    const waiting = stateAfter(...road, observe('ReleaseRefused', 20))
    expect(waiting.pending).toEqual({ 'retry/stock': 120 })
    const again = [...road, observe('ReleaseRefused', 20), fire('retry/stock', 120)]
    expect(stateAfter(...again).compensation).toMatchObject({ queue: ['stock'], attempts: 2 })
    const gaveUp = stateAfter(...again, fire('answer/stock', 60_120))
    expect(gaveUp).toMatchObject({ status: 'partly-compensated', compensation: { left: ['stock'] }, pending: {} })
    expect(eventsAfter(...again, fire('answer/stock', 60_120)).at(-1)).toEqual({
      type: 'ProcessCompensated',
      data: { left: ['stock'] },
    })
  })

  it('a definition that never has enough is refused by name', () => {
    let n = 0
    const endless = defineProcessManager({
      ...fulfilment,
      nextActions: () => [{ kind: 'schedule', timer: `t${n++}`, afterMs: 1 }],
    })
    const decide = () => processDecider(endless).decide(observe('OrderPlaced'), processDecider(endless).initialState())
    expect(decide).toThrow(/asked for something new/)
  })
})

describe('the timer index', () => {
  it('keeps 100,000 pending timers in bounded memory, however many came and went', () => {
    const index = new TimerIndex()
    const bytes = heapAround(() => {
      for (let n = 0; n < 700_000; n++) {
        index.add({ stream: `reminders:order-${n}`, timer: 'step/payment', dueAtMs: n, offset: n })
        if (n >= 100_000) index.remove({ stream: `reminders:order-${n - 100_000}`, timer: 'step/payment' })
      }
    })
    expect(index.size).toBe(100_000)
    expect(bytes).toBeLessThan(60_000_000)
  })

  it('gives what is due in order, not what was cancelled, and stays small', () => {
    const index = new TimerIndex()
    const dues = Array.from({ length: 1000 }, (_, n) => (n * 7919) % 1000)
    dues.forEach((dueAtMs, n) => {
      index.add({ stream: `s${n}`, timer: 't', dueAtMs, offset: n })
    })
    for (let n = 0; n < 900; n++) index.remove({ stream: `s${n}`, timer: 't' })
    expect(index.size).toBe(100)
    expect(index.oldest?.offset).toBe(900)
    expect(index.scheduledBefore(950, 20).map(({ offset }) => offset)).toEqual(
      dues.slice(900, 920).map((_, n) => 900 + n),
    )
    const taken = index.takeDue(500, 1000)
    const due = taken.map(({ dueAtMs }) => dueAtMs)
    expect(due).toEqual(
      dues
        .slice(900)
        .filter((ms) => ms <= 500)
        .sort((a, b) => a - b),
    )
    expect(index.size).toBe(100)
    expect(index.takeDue(500, 1000)).toEqual([])
    for (const timer of taken.slice(1)) index.remove(timer)
    expect(index.size).toBe(101 - due.length)
    index.putBack(taken[0]!)
    expect(index.takeDue(500, 1000)).toEqual(taken.slice(0, 1))
    index.add({ ...taken[0]!, dueAtMs: 2000, offset: 5000 })
    index.putBack(taken[0]!)
    expect(index.takeDue(1999, 1000)).toHaveLength(100 - due.length)
    expect(index.scheduledBefore(6000, 1000).at(-1)).toMatchObject({ dueAtMs: 2000, offset: 5000 })
  })
})

/** What is kept of what `work` made, in bytes. */
function heapAround(work: () => void): number {
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage().heapUsed
  work()
  collect()
  return process.memoryUsage().heapUsed - before
}

describe('a definition that answers nonsense is said so, by what it answered', () => {
  const message = { topic: 't', type: 'T', data: null }
  const odd = (what: object) =>
    processDecider(
      defineProcessManager({
        name: 'odd',
        initialState: () => ({ n: 0 }),
        evolve: (state, _: { type: string; data: unknown }) => state,
        correlate: () => 'one',
        steps: {},
        nextActions: () => [],
        ...what,
      }),
    )
  const acting = (answer: unknown) => ({ nextActions: () => answer })

  it.each([
    ['an unknown action', acting([{ kind: 'lunch' }]), /nextActions .* an action of kind "lunch"; there are start, /],
    ['no action', acting([null]), /an action of kind nothing/],
    ['no list', acting(undefined), /nextActions of process manager "odd" answered nothing, not a list/],
    ['a promise of a list', { nextActions: async () => [] }, /answered a promise, not a list/],
    ['a step nobody defined', acting([{ kind: 'start', step: 'nope' }]), /has no step "nope"/],
    ['a time that is none', acting([{ kind: 'schedule', timer: 't', afterMs: Number.NaN }]), /afterMs NaN/],
    ['no name of a timer', acting([{ kind: 'cancel' }]), /cancel with timer nothing, not text/],
    ['no reason', acting([{ kind: 'compensate' }]), /compensate with reason nothing/],
    ['no id', acting([{ kind: 'send', message }]), /send with id nothing/],
    ['no message', acting([{ kind: 'send', id: 'm' }]), /sending "m" .* nothing, not a message/],
    ['a promise of a state', { evolve: async () => ({ n: 1 }) }, /evolve .* a promise: it must not be async/],
    ['no state', { evolve: () => undefined }, /evolve of process manager "odd" answered nothing/],
  ])('%s', (_, what, said) => {
    const process = odd(what)
    const decide = () => process.decide(observe('Any'), process.initialState())
    expect(decide).toThrow(expect.objectContaining({ code: 'PROCESS_INVALID', message: expect.stringMatching(said) }))
  })

  it('a name that is none of a topic is refused, its consumer group and redriven messages are called after it', () => {
    const options = { initialState: () => 0, evolve: () => 0, correlate: () => 'a', steps: {}, nextActions: () => [] }
    for (const name of ['', 'a:b', 'a b', 'a'.repeat(201)]) {
      expect(() => defineProcessManager({ ...options, name })).toThrow(/The name of a process manager must be 1 to 200/)
    }
  })
})
