import { describe, expect, it } from 'vitest'
import { type GateFunction, gateRunner } from '../../../src/agents/gates/gate-runner.ts'
import { EventDrivenQualityGates, QualityGateProcessor } from '../../../src/agents/gates/quality-gates.ts'
import { KafkaAgentCoordinator } from '../../../src/agents/kafka-agent-coordinator.ts'
import { gateSchema } from '../../../src/agents/session/gate-settings.ts'
import { openMemoryStore } from '../../../src/store/memory/memory-store.ts'
import { approval, planOf } from '../session/play.ts'

const context = { sessionId: 's', workItemId: 'a', attempt: 1, workDir: '/tmp', signal: new AbortController().signal }
const gate = (more: object = {}) => gateSchema.parse({ gateId: 'size', function: 'size', ...more })
const run = (judge: GateFunction, more?: object) => gateRunner({ functions: { size: judge } })(gate(more), context)

describe('a gate function', () => {
  it('answers with score, label, explanation and evidence, kept as given but for secrets', async () => {
    const answer = {
      passed: true,
      score: 0.4,
      label: 'small',
      explanation: 'ok',
      evidence: 'API_KEY=sk-ant-api03-abcdefghijklmnop',
    }
    const report = await run(() => answer)
    expect(report).toMatchObject({ passed: true, score: 0.4, label: 'small', explanation: 'ok' })
    expect(report.evidence).not.toContain('abcdefghijklmnop')
  })

  it('may leave the verdict to the threshold', async () => {
    const judge = () => ({ score: 0.6, explanation: '60 %' })
    expect(await run(judge, { minScore: 0.5 })).toMatchObject({ passed: true })
    expect(await run(judge, { minScore: 0.7 })).toMatchObject({ passed: false, score: 0.6 })
    await expect(run(judge)).rejects.toThrow('passed: is missing')
  })

  it.each([
    ['score 7', { passed: true, score: 7, explanation: '' }],
    ['nothing', undefined],
    ['prose', 'fine'],
  ])('that answers %s gives no verdict', async (_name, answer) => {
    await expect(run(() => answer as never)).rejects.toMatchObject({ code: 'EXECUTOR_INVALID' })
  })

  it('that throws may be asked again; one that hangs has failed, and hears of it', async () => {
    const broken = run(() => {
      throw new Error('no disk')
    })
    await expect(broken).rejects.toMatchObject({ code: 'EXECUTOR_FAILED', retry: { afterMs: 1_000 } })
    let stopped = false
    const hanging: GateFunction = ({ signal }) => {
      signal.addEventListener('abort', () => {
        stopped = true
      })
      return new Promise(() => undefined)
    }
    expect(await run(hanging, { timeoutMs: 20 })).toMatchObject({
      passed: false,
      explanation: 'did not answer within 20 ms',
    })
    expect(stopped).toBe(true)
  })

  it('nobody gave is named', async () => {
    await expect(gateRunner()(gate(), context)).rejects.toThrow('wants the function "size"')
  })
})

async function checkedSession() {
  const store = openMemoryStore()
  const executor = {
    execute: async ({ purpose }: { purpose: string }) => ({
      output: JSON.stringify(purpose === 'plan' ? planOf({ a: {} }) : approval),
    }),
  }
  const settings = { dispatch: 'topics' as const, gates: [{ gateId: 'size', function: 'size' }] }
  const coordinator = new KafkaAgentCoordinator({ store, executor, gates: false, settings, workDirChanges: false })
  await coordinator.start()
  const sessionId = await coordinator.create('x')
  const ended = coordinator.resume(sessionId)
  for (let version = 1; (await coordinator.show(sessionId)).workItems[0]?.status !== 'checking'; version++) {
    await store.waitForVersion(sessionId, version)
  }
  return { store, coordinator, sessionId, ended }
}

describe('QualityGateProcessor', () => {
  it('evaluates what a session waits for, once, and serves the topic', async () => {
    const { store, coordinator, sessionId, ended } = await checkedSession()
    let runs = 0
    const size = () => ({ passed: true, score: 1, explanation: `run ${++runs}` })
    const processors = [1, 2].map(() => new QualityGateProcessor({ store, functions: { size } }))
    const check = { sessionId, workItemId: 'a', gateId: 'size' }
    const outcomes = await Promise.all(processors.map((each) => each.processQualityCheck(check)))
    expect(outcomes).toMatchObject([{ explanation: 'run 1' }, { explanation: 'run 1' }])
    await expect(processors[0]!.processQualityCheck({ ...check, gateId: 'ghost' })).rejects.toMatchObject({
      code: 'CALL_NOT_FOUND',
    })
    expect((await ended).status).toBe('completed')
    await Promise.all(processors.map((each) => each.start()))
    expect((await coordinator.run('again', { sessionId: 'two' })).status).toBe('completed')
    expect(runs).toBe(2)
    await Promise.all([...processors.map((each) => each.stop()), coordinator.close()])
  })
})

describe('EventDrivenQualityGates', () => {
  it('records what was found elsewhere, exactly as given, and tells it on quality.gates', async () => {
    const { store, coordinator, sessionId, ended } = await checkedSession()
    const gates = new EventDrivenQualityGates({ store })
    const told = Promise.withResolvers<unknown>()
    const listener = store.consume({
      group: 'listener',
      topics: ['quality.gates'],
      handler: async (message) => {
        if (message.type === 'QualityGateEvaluated') told.resolve(message.data)
      },
    })
    const result = {
      sessionId,
      workItemId: 'a',
      gateId: 'size',
      passed: true,
      score: 0.25,
      explanation: 'from the build',
    }
    await expect(gates.publishQualityGateResult({ ...result, score: 7 })).rejects.toThrow('score: 7')
    expect(await gates.publishQualityGateResult(result)).toMatchObject({ passed: true, score: 0.25 })
    expect(await gates.publishQualityGateResult({ ...result, passed: false })).toMatchObject({ passed: true })
    expect(await told.promise).toMatchObject({ sessionId, gateId: 'size', score: 0.25 })
    expect((await ended).status).toBe('completed')
    await Promise.all([listener.stop(), gates.stop(), coordinator.close()])
  })
})
