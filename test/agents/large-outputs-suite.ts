import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { cassetteFromSession } from '../../src/agents/cassette-from-session.ts'
import { compareSessions } from '../../src/agents/compare-sessions.ts'
import type { AgentExecutor } from '../../src/agents/executor.ts'
import { processExecutor } from '../../src/agents/executors/process-executor.ts'
import { replayExecutor } from '../../src/agents/executors/replay-executor.ts'
import { sessionStateAt } from '../../src/agents/fold-session.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { readCallOutput } from '../../src/agents/large-outputs.ts'
import { readSession } from '../../src/agents/read-sessions.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { approval, planOf } from './session/play.ts'

/* O1 to O3, with an agent in a real process, on any log. */

const SECRET = 'sk-abcdefghijklmnopqrstuvwxyz'
const manager: AgentExecutor = {
  execute: async ({ purpose }) => ({ output: '', structured: purpose === 'plan' ? planOf({ a: {} }) : approval }),
}

/** Prints one line of so many characters, a secret in its middle, as text or as a result line. */
function printing(chars: number, output: 'json-lines' | 'text'): AgentExecutor {
  const source = `
    const half = 'word '.repeat(${chars / 10})
    const answer = half + '${SECRET} ' + half + 'the end'
    process.stdout.write(${output === 'text'} ? answer : JSON.stringify({ type: 'result', output: answer }) + '\\n')
  `
  return processExecutor({ command: process.execPath, args: ['-e', source], output })
}

const jsonChars = (value: unknown) => JSON.stringify(value).length

/** How much the agent says: printed in either form, and where its answer is read through everything there is. */
export interface OutputChars {
  readonly 'json-lines': number
  readonly text: number
  readonly through: number
}

/** `open` gives a fresh log. */
export function largeOutputsSuite(
  name: string,
  outputChars: OutputChars,
  open: (dir: string) => Promise<EventStore>,
): void {
  let dir: string
  const closing: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  })

  async function opened(): Promise<EventStore> {
    dir = mkdtempSync(join(tmpdir(), 'duolog-outputs-'))
    const store = await open(dir)
    closing.push(() => store.close())
    return store
  }

  function coordinator(store: EventStore, worker: AgentExecutor): KafkaAgentCoordinator {
    const made = new KafkaAgentCoordinator({ store, executors: { manager, worker }, workDirChanges: false })
    closing.push(() => made.close())
    return made
  }

  describe(`a large output (${name})`, () => {
    it.each([
      ['json-lines', outputChars['json-lines']],
      ['text', outputChars.text],
    ] as const)('printed as %s, of %d characters, is kept whole, by reference', async (form, chars) => {
      const store = await opened()
      const runner = coordinator(store, printing(chars, form))
      const { sessionId, status } = await runner.run('x', { workDir: dir })
      expect(status).toBe('completed')

      const output = await readCallOutput(store, sessionId, 'work:a:1')
      expect(output.length).toBeGreaterThan(chars)
      expect(output).toMatch(/ word \[redacted:api-key\] word .*the end$/)
      for await (const { type, data } of store.readStream(sessionId)) {
        expect(jsonChars(data)).toBeLessThan(250_000)
        if (type === 'AgentCallCompleted' && (data as { callId: string }).callId === 'work:a:1')
          expect(data).toMatchObject({ fullOutputChars: expect.any(Number), outputRef: { size: output.length } })
      }
    })

    it('is held by no state, view, fork, comparison or cassette, and read through all of them', async () => {
      const store = await opened()
      const chars = outputChars.through
      const runner = coordinator(store, printing(chars, 'json-lines'))
      const { sessionId } = await runner.run('x', { workDir: dir })
      const gates = [{ gateId: 'more', scope: 'session' as const, command: ['true'] }]
      const fork = await runner.fork(sessionId, { settings: { gates } })
      const { state } = await sessionStateAt(store, fork.sessionId)
      expect(jsonChars([...state.calls.values()])).toBeLessThan(10_000)
      expect(jsonChars(await readSession(store, sessionId))).toBeLessThan(10_000)
      expect(jsonChars(await compareSessions(store, sessionId, fork.sessionId))).toBeLessThan(10_000)
      expect((await readCallOutput(store, fork.sessionId, 'work:a:1')).length).toBeGreaterThan(chars)

      const cassette = await cassetteFromSession(store, sessionId)
      expect(jsonChars(cassette)).toBeLessThan(500_000)
      const elsewhere = openMemoryStore()
      closing.push(() => elsewhere.close())
      const replayed = new KafkaAgentCoordinator({
        store: elsewhere,
        executor: replayExecutor(cassette),
        workDirChanges: false,
      })
      closing.push(() => replayed.close())
      expect(await replayed.run('x', { workDir: dir })).toMatchObject({ status: 'completed' })
    })
  })
}
