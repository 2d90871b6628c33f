import { tmpdir } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AgentExecutor } from '../../src/agents/executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import type { SessionSettingsInput } from '../../src/agents/session/settings.ts'
import { sessionView } from '../../src/agents/session/view.ts'
import { watchSilence } from '../../src/agents/silence.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { approval, Play, planOf } from './session/play.ts'

describe('a session whose call is silent', () => {
  it('records it once for each claim, shows it while the call runs, and goes on as before', () => {
    const play = new Play({ stalledAfterMs: 1000 })
    play.answer('plan:1', planOf({ a: {} }))
    const epoch = play.claim('work:a:1')
    const stalled = { kind: 'report-stalled', callId: 'work:a:1', epoch, silentMs: 1000 } as const
    expect(play.do({ ...stalled, epoch: epoch + 1 })).toEqual([]) // P8: of somebody else's claim nothing is to be said
    expect(play.do(stalled)).toEqual([
      { type: 'AgentCallStalled', data: { callId: 'work:a:1', epoch, silentMs: 1000 } },
    ])
    expect(play.do(stalled)).toEqual([])
    const shown = () => sessionView('s', play.state, 1).calls.find(({ callId }) => callId === 'work:a:1')
    expect(shown()).toMatchObject({ status: 'claimed', stalledMs: 1000 })

    const result = { output: 'done after all', costUsd: 0.1 }
    play.do({ kind: 'complete', callId: 'work:a:1', epoch, owner: 'worker-1', result, durationMs: 2000 })
    expect(shown()).not.toHaveProperty('stalledMs')
    expect(play.do(stalled)).toEqual([])
    expect(play.names(play.answer('review:a:1', approval))).toContain('SessionCompleted')
  })
})

describe('silence', () => {
  afterEach(() => void vi.useRealTimers())

  it('begins anew with every sign of life, and is told once', () => {
    vi.useFakeTimers()
    const tell = vi.fn(async () => {})
    const silence = watchSilence({ stalledAfterMs: 100, onStalled: 'abort' }, tell)
    for (let n = 0; n < 5; n++) {
      vi.advanceTimersByTime(99)
      silence.heard()
    }
    expect(tell).not.toHaveBeenCalled()
    vi.advanceTimersByTime(100)
    expect(silence.signal?.reason).toMatchObject({ code: 'EXECUTOR_FAILED', retry: { afterMs: 1000 } })
    silence.heard()
    vi.advanceTimersByTime(1000)
    expect(tell.mock.calls).toEqual([[100]])
  })

  it('is not measured after the end', async () => {
    vi.useFakeTimers()
    const tell = vi.fn(async () => {})
    await watchSilence({ stalledAfterMs: 100 }, tell).end()
    vi.advanceTimersByTime(10_000)
    expect(tell).not.toHaveBeenCalled()
  })

  it('of a minute is told where nothing is said about it, and stops nothing', async () => {
    vi.useFakeTimers()
    const tell = vi.fn(async () => {})
    const silence = watchSilence({}, tell)
    vi.advanceTimersByTime(59_999)
    expect(tell).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(tell.mock.calls).toEqual([[60_000]])
    expect(silence.signal).toBeUndefined()
  })
})

describe('a worker whose agent hangs', () => {
  let store: EventStore
  afterEach(async () => store.close())

  /** Plans and reviews at once; the first execution of the work hangs until `hang` resolves. */
  async function run(settings: SessionSettingsInput, hang: (signal: AbortSignal) => Promise<void>) {
    store = await openEventStore('memory:')
    let executions = 0
    const executor: AgentExecutor = {
      async execute({ purpose }, { signal }) {
        if (purpose === 'plan') return { output: '', structured: planOf({ a: {} }) }
        if (purpose === 'review') return { output: '', structured: approval }
        executions++
        if (executions === 1) await hang(signal)
        signal.throwIfAborted()
        return { output: 'did a', costUsd: 0.05 }
      },
    }
    const coordinator = new KafkaAgentCoordinator({ store, executor, workDirChanges: false })
    const view = await coordinator.run('x', {
      sessionId: 's',
      workDir: tmpdir(),
      settings: { stalledAfterMs: 20, ...settings },
    })
    const events = await Array.fromAsync(store.readStream('s'))
    return { view, executions, events, count: (type: string) => events.filter((event) => event.type === type).length }
  }

  const aborted = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

  it('with onStalled abort: it is stopped, has failed, and the call is made again', async () => {
    const { view, executions, events, count } = await run({ onStalled: 'abort' }, aborted)
    expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 2, accepted: 1, inDoubtCalls: 0 } })
    expect({ executions, stalled: count('AgentCallStalled') }).toEqual({ executions: 2, stalled: 1 })
    const failed = events.find(({ type }) => type === 'AgentCallFailed')
    expect(failed?.data).toMatchObject({
      callId: 'work:a:1',
      retryable: true,
      error: { code: 'EXECUTOR_FAILED', message: expect.stringContaining('no sign of life for 20 ms') },
    })
  })

  it('without: it is shown and may go on', async () => {
    const untilShown = async () => {
      for (let version = 1; ; version++) {
        await store.waitForVersion('s', version)
        const [event] = await Array.fromAsync(store.readStream('s', { from: version, maxCount: 1 }))
        if (event?.type === 'AgentCallStalled') return
      }
    }
    const { view, executions, count } = await run({}, untilShown)
    expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 1, accepted: 1 } })
    expect({ executions, stalled: count('AgentCallStalled') }).toEqual({ executions: 1, stalled: 1 })
  })
})
