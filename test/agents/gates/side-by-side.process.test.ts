import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { processExecutor } from '../../../src/agents/executors/process-executor.ts'
import { QualityGateProcessor } from '../../../src/agents/gates/quality-gates.ts'
import { KafkaAgentCoordinator } from '../../../src/agents/kafka-agent-coordinator.ts'
import type { SessionSettingsInput } from '../../../src/agents/session/settings.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { openMemoryStore } from '../../../src/store/memory/memory-store.ts'
import { tempFolder } from '../executors/support.ts'
import { approval, planOf } from '../session/play.ts'

/* Every run notes its start in runs.txt, and ends only when the run it is to overlap with has begun. */

let store: EventStore
afterEach(async () => store.close())

/** The gate "style" answers prose once "security" has begun; that one answers once "style" has been asked again. */
const AGENT = `
const { appendFileSync, readFileSync } = require('node:fs')
const { DUOLOG_PURPOSE: purpose, DUOLOG_GATE_ID: gateId, DUOLOG_TRY: nth } = process.env
const run = gateId === undefined ? purpose : gateId + ' ' + nth
appendFileSync('runs.txt', run + '\\n')
const verdict = { structured: { passed: true, score: 0.9, explanation: 'nothing found' } }
const answers = {
  plan: { structured: ${JSON.stringify(planOf({ a: {} }))} },
  work: { output: 'done' },
  review: { structured: ${JSON.stringify(approval)} },
  'style 1': { output: 'Looks fine to me!' },
}
const awaited = { 'style 1': 'security 1', 'security 1': 'style 2' }[run]
const wait = setInterval(() => {
  if (awaited && !readFileSync('runs.txt', 'utf8').split('\\n').includes(awaited)) return
  clearInterval(wait)
  console.log(JSON.stringify({ type: 'result', ...(answers[run] ?? verdict) }))
}, 10)
`

function folderWith(settings: SessionSettingsInput) {
  const workDir = tempFolder()
  const agent = join(tempFolder(), 'agent.cjs')
  writeFileSync(agent, AGENT)
  store = openMemoryStore()
  const runs = () => readFileSync(join(workDir, 'runs.txt'), 'utf8').trim().split('\n')
  const executor = processExecutor({ command: process.execPath, args: [agent] })
  return { runs, executor, options: { workDir, sessionId: 's', settings } }
}

describe('two gates with a reviewer', () => {
  it.each(['work-item', 'session'] as const)(
    'of one %s run at the same time; none ends the other, each is paid once',
    async (scope) => {
      const gates = ['style', 'security'].map((gateId) => ({ gateId, reviewer: `Look at the ${gateId}.`, scope }))
      const { runs, executor, options } = folderWith({ gates })
      const coordinator = new KafkaAgentCoordinator({ store, executor })
      expect(await coordinator.run('x', options)).toMatchObject({ status: 'completed' })
      await coordinator.close()
      const events = await Array.fromAsync(store.readStream('s'))
      expect(events.filter(({ type }) => type === 'AgentCallFailed')).toEqual([])
      expect(runs().toSorted()).toEqual(['plan', 'review', 'security 1', 'style 1', 'style 2', 'work'])
    },
  )
})

/** Ends well only while the other one runs. */
const together = (own: string, other: string) => ({
  gateId: own,
  command: ['sh', '-c', `touch ${own}; until [ -e ${other} ]; do sleep 0.02; done`],
})

describe('two gates with a command', () => {
  const gates = [together('tests', 'lint'), together('lint', 'tests')]

  it('run at the same time in the process that runs the session', async () => {
    const { executor, options } = folderWith({ gates })
    const coordinator = new KafkaAgentCoordinator({ store, executor })
    expect(await coordinator.run('x', options)).toMatchObject({ status: 'completed', totals: { accepted: 1 } })
    await coordinator.close()
  })

  it('run at the same time in one service', async () => {
    const { executor, options } = folderWith({ gates, dispatch: 'topics' })
    const coordinator = new KafkaAgentCoordinator({ store, executor, gates: false })
    const service = new QualityGateProcessor({ store })
    await Promise.all([coordinator.start(), service.start()])
    expect(await coordinator.run('x', options)).toMatchObject({ status: 'completed', totals: { accepted: 1 } })
    await Promise.all([coordinator.close(), service.stop()])
  })
})
