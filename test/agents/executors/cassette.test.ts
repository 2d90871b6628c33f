import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cassetteFromSession } from '../../../src/agents/cassette-from-session.ts'
import { type AgentExecutor, ExecutorFailedError, paidForOf } from '../../../src/agents/executor.ts'
import { type Cassette, cassetteOf, type Recording } from '../../../src/agents/executors/cassette.ts'
import { recordingExecutor } from '../../../src/agents/executors/recording-executor.ts'
import { replayExecutor } from '../../../src/agents/executors/replay-executor.ts'
import { scriptedExecutor } from '../../../src/agents/executors/scripted-executor.ts'
import { KafkaAgentCoordinator } from '../../../src/agents/kafka-agent-coordinator.ts'
import type { OwnPrompts } from '../../../src/agents/prompts/session-prompts.ts'
import { createRedactor } from '../../../src/agents/redact.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { openEventStore } from '../../../src/store/open-event-store.ts'
import { contextOf, errorOf, requestIn, tempFolder } from './support.ts'

async function record(executor: AgentExecutor, ...changes: Parameters<typeof requestIn>[1][]): Promise<Cassette> {
  const recordings: Recording[] = []
  const redact = createRedactor({ env: { MY_TOKEN: 'hush-hush-hush' } })
  const recording = recordingExecutor(executor, (made) => recordings.push(made), { redact })
  for (const change of changes) await recording.execute(requestIn('/work', change), contextOf()).catch(() => undefined)
  return cassetteOf(recordings)
}

const answers = (output: string): AgentExecutor => ({ execute: async () => ({ output, costUsd: 0.5 }) })
const replay = (cassette: string | Cassette, change: Parameters<typeof requestIn>[1] = {}) =>
  replayExecutor(cassette).execute(requestIn('/elsewhere', change), contextOf())

describe('record and replay', () => {
  it('answers the same question the same, in another session, folder and time limit, from a file', async () => {
    const cassette = await record(answers('yes'), { outputSchema: { b: 1, a: 2 }, model: 'm' })
    const file = join(tempFolder(), 'cassette.json')
    writeFileSync(file, JSON.stringify(cassette))
    const other = { callId: 'x', sessionId: 'y', timeoutMs: 1, maxBudgetUsd: 1, resume: 'r' }
    const asked = { ...other, outputSchema: { a: 2, b: 1 }, model: 'm' }
    expect(await replay(file, asked)).toEqual({ output: 'yes', costUsd: 0.5 })
  })

  it('answers each try with its own recording, failures with what they cost', async () => {
    let tries = 0
    const flaky: AgentExecutor = {
      execute: async () => {
        if (++tries > 1) return { output: 'at last' }
        throw new ExecutorFailedError('no luck', { retry: { afterMs: 5 }, paidFor: { costUsd: 0.1 } })
      },
    }
    const cassette = await record(flaky, { try: 1 }, { try: 2 })
    const error = await errorOf(() => replay(cassette, { try: 1 }))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', message: 'no luck', retry: { afterMs: 5 } })
    expect(paidForOf(error)).toEqual({ costUsd: 0.1 })
    expect((await replay(cassette, { try: 2 })).output).toBe('at last')
    expect((await replay(cassette, { try: 7 })).output).toBe('at last')
  })

  it('does not record a stopped call, which has no answer', async () => {
    const recordings: Recording[] = []
    const abort = new AbortController()
    const stopped: AgentExecutor = {
      execute: async () => {
        abort.abort()
        throw new Error('stopped')
      },
    }
    const recording = recordingExecutor(stopped, (made) => recordings.push(made))
    await expect(recording.execute(requestIn('/work'), contextOf(abort.signal))).rejects.toThrow('stopped')
    expect(recordings).toEqual([])
  })

  it('keeps secrets out of the file, and still finds the question that held one', async () => {
    const prompt = 'Use hush-hush-hush.'
    const cassette = await record(answers('The token is hush-hush-hush'), { prompt })
    expect(JSON.stringify(cassette)).not.toContain('hush-hush')
    expect((await replay(cassette, { prompt })).output).toBe('The token is [redacted:secret]')
  })
})

describe('a miss', () => {
  it('fails for good, names the nearest recording and what differs', async () => {
    const cassette = await record(answers('yes'), { workItemId: 'b' }, { prompt: 'Do it well.', model: 'old' })
    const error = await errorOf(() => replay(cassette, { prompt: 'Do it fast.', model: 'new' }))
    expect(error).toMatchObject({ code: 'CASSETTE_MISS', retry: 'never' })
    expect(error.message).toContain('no answer to work of "a", attempt 1')
    expect(error.message).toContain('nearest is recordings[1], work of "a", attempt 1')
    expect(error.message).toContain('model (recorded "old", asked "new")')
    expect(error.message).toContain('prompt from character 7 on (recorded "Do it well.", asked "Do it fast.")')
    expect((await errorOf(() => replay(cassetteOf([])))).message).toContain('It holds no recording')
  })
})

describe('a file that is no cassette', () => {
  it.each([
    ['not there', undefined, 'cannot be read as JSON'],
    ['not JSON', '{', 'cannot be read as JSON'],
    ['another version', JSON.stringify({ ...cassetteOf([]), version: 2 }), 'version: must be 1'],
    ['another thing', '{"plans":[]}', 'format'],
    [
      'a recording without an answer',
      JSON.stringify({ ...cassetteOf([]), recordings: [{ key: '0'.repeat(64), request: {}, outcome: {} }] }),
      'recordings[0]',
    ],
  ])('%s', async (_, content, problem) => {
    const file = join(tempFolder(), 'cassette.json')
    if (content !== undefined) writeFileSync(file, content)
    const error = await errorOf(() => replayExecutor(file))
    expect([error.code, error.message]).toEqual(['CASSETTE_INVALID', expect.stringContaining(problem)])
    expect(error.message).toContain(file)
  })
})

const script = {
  plans: [
    'not a plan',
    {
      strategy: 'Two steps.',
      workItems: ['a', 'b'].map((id) => ({
        id,
        title: `Make ${id}`,
        description: `Make ${id}.`,
        acceptanceCriteria: ['made'],
        dependencies: id === 'b' ? ['a'] : [],
      })),
    },
  ],
  items: {
    a: {
      attempts: [{ outcome: 'error' as const, output: 'broken' }, { output: 'a, badly' }, { output: 'a, well' }],
      reviews: [
        { approved: false, score: 0.3, feedback: ['better'] },
        { approved: true, score: 0.9 },
      ],
    },
    b: { attempts: [{ output: 'b' }], reviews: [{ approved: true, score: 0.8 }] },
  },
  defaults: { work: { costUsd: 0.05 } },
}

async function session(executor: AgentExecutor, task = 'Make a and b') {
  const store = await openEventStore('memory:')
  const coordinator = new KafkaAgentCoordinator({ store, executor })
  try {
    const workDir = tempFolder()
    const view = await coordinator.run(task, { workDir })
    return { view, cassette: await cassetteFromSession(store, view.sessionId), store }
  } finally {
    await coordinator.close()
  }
}

async function positionsOf(store: EventStore, sessionId: string, type: string): Promise<number[]> {
  const positions: number[] = []
  for await (const event of store.readStream(sessionId)) if (event.type === type) positions.push(event.streamPosition)
  return positions
}

const outcomeOf = ({ view }: Awaited<ReturnType<typeof session>>) => ({
  status: view.status,
  items: view.workItems.map(({ id, status, attempts, revisions }) => ({ id, status, attempts, revisions })),
  calls: view.calls.map(({ callId, status }) => ({ callId, status })),
  totals: view.totals,
})

describe('a session exported from its log', () => {
  it('replays on another log to the same end, with no real call', async () => {
    const recorded = await session(scriptedExecutor(script))
    expect(outcomeOf(recorded).status).toBe('completed')
    expect(outcomeOf(recorded).items[0]).toMatchObject({ id: 'a', status: 'accepted', attempts: 2, revisions: 1 })
    const replayed = await session(replayExecutor(recorded.cassette))
    expect(outcomeOf(replayed)).toEqual(outcomeOf(recorded))
    expect(replayed.cassette).toEqual(recorded.cassette)
  })

  it('does not answer for another task', async () => {
    const recorded = await session(scriptedExecutor(script))
    const { view } = await session(replayExecutor(recorded.cassette), 'Make c')
    expect(view.status).toBe('failed')
    expect(view.reason).toContain('The cassette has no answer to plan, attempt 1')
  })

  it('with prompts of its own: replays with them, and says so where they are not known', async () => {
    const work = { version: 'mine-1', render: ({ title }: { title: string }) => `Kindly: ${title}` }
    const store = await openEventStore('memory:')
    const run = async (executor: AgentExecutor, prompts: OwnPrompts) => {
      const coordinator = new KafkaAgentCoordinator({ store, executor, prompts })
      const view = await coordinator.run('Make a and b', { workDir: tempFolder() })
      await coordinator.close()
      return view
    }
    const { sessionId, totals } = await run(scriptedExecutor(script), { work })
    const unknown = await cassetteFromSession(store, sessionId)
    const marked = unknown.recordings.filter(({ wordingUnknown }) => wordingUnknown)
    expect(marked.map(({ request }) => request.purpose)).toEqual(['work', 'work', 'work', 'work'])
    expect(marked[0]?.request.prompt).toBe('[asked in words that the log does not hold]')

    const known = await cassetteFromSession(store, sessionId, { prompts: { work } })
    expect(known.recordings.map(({ key }) => key)).toEqual(unknown.recordings.map(({ key }) => key))
    expect(known.recordings.map(({ request }) => request.prompt)).toContain('Kindly: Make a')
    for (const cassette of [unknown, known])
      expect(await run(replayExecutor(cassette), { work })).toMatchObject({ status: 'completed', totals })

    const other = { ...work, render: () => 'Now!' }
    const error = await errorOf(() => cassetteFromSession(store, sessionId, { prompts: { work: other } }))
    expect([error.code, error.message]).toEqual([
      'INVALID_ARGUMENT',
      expect.stringContaining('prompts.work (version "mine-1")'),
    ])
  })

  it('replays without a secret that only whoever exports it knows, and that a later question quotes', async () => {
    const b = { ...script.items.b, attempts: [{ output: 'hush-hush-hush' }] }
    const { store, view } = await session(scriptedExecutor({ ...script, items: { ...script.items, b } }))
    const redact = createRedactor({ env: { MY_TOKEN: 'hush-hush-hush' } })
    const cassette = await cassetteFromSession(store, view.sessionId, { redact })
    expect(JSON.stringify(cassette)).not.toContain('hush-hush')
    const replayed = await session(replayExecutor(cassette))
    expect([replayed.view.status, replayed.view.totals]).toEqual(['completed', view.totals])
  })

  it('of a fork, and of a fork of it, answers the same task from the start, and the same fork again', async () => {
    const { store, view } = await session(scriptedExecutor(script))
    const coordinator = new KafkaAgentCoordinator({ store, executor: scriptedExecutor(script) })
    const reviewed = (await positionsOf(store, view.sessionId, 'TaskReviewed'))[0]!
    const child = await coordinator.fork(view.sessionId, { at: reviewed })
    const grandchild = await coordinator.fork(child.sessionId)
    const made = await coordinator.resume(grandchild.sessionId)
    await coordinator.close()
    const cassette = await cassetteFromSession(store, grandchild.sessionId)
    const replayed = await session(replayExecutor(cassette))
    expect([made.status, made.totals.managerCalls]).toEqual(['completed', 2])
    expect(replayed.view.status).toBe('completed')
    expect(outcomeOf(replayed).items).toEqual(
      made.workItems.map(({ id, status, attempts, revisions }) => ({ id, status, attempts, revisions })),
    )

    const again = new KafkaAgentCoordinator({ store, executor: replayExecutor(cassette) })
    onTestFinished(() => again.close())
    const twin = await again.resume((await again.fork(view.sessionId, { at: reviewed })).sessionId)
    expect([twin.status, twin.totals]).toEqual([made.status, made.totals])
  })

  it('of a fork asked in other words than what it took over, marks those', async () => {
    const { store, view } = await session(scriptedExecutor(script))
    const work = { version: 'mine-1', render: ({ title }: { title: string }) => `Kindly: ${title}` }
    const options = { store, executor: scriptedExecutor(script), prompts: { work } }
    const coordinator = new KafkaAgentCoordinator(options)
    onTestFinished(() => coordinator.close())
    const [reviewed] = await positionsOf(store, view.sessionId, 'TaskReviewed')
    const { sessionId } = await coordinator.fork(view.sessionId, { at: reviewed! })
    await coordinator.resume(sessionId)
    const { recordings } = await cassetteFromSession(store, sessionId, { prompts: { work } })
    const works = recordings.filter(({ request }) => request.purpose === 'work')
    expect(works.map(({ wordingUnknown = false }) => wordingUnknown)).toEqual([true, true, false, false])
  })

  it('is not there for a stream that is no session', async () => {
    const { store } = await session(scriptedExecutor(script))
    expect((await errorOf(() => cassetteFromSession(store, 'nobody'))).code).toBe('SESSION_NOT_FOUND')
  })
})
