import { describe, expect, it } from 'vitest'
import { EventDrivenQualityGates, QualityGateProcessor } from '../../../src/agents/gates/quality-gates.ts'
import { KafkaAgentCoordinator } from '../../../src/agents/kafka-agent-coordinator.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { approval, planOf } from '../session/play.ts'

/** Waits for its gate; `coordinator` evaluates none itself. */
async function checkedSession(openStore: () => Promise<EventStore>) {
  const store = await openStore()
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

/** As the topic `quality.gates` names them: the tasks of gates that are to be evaluated. */
const waitsFor = async (
  { store, coordinator, sessionId }: Awaited<ReturnType<typeof checkedSession>>,
  callId: string,
) => {
  for (let version = 1; ; version++) {
    const { calls } = await coordinator.show(sessionId)
    if (calls.some((call) => call.callId === callId && call.status === 'reserved')) return
    await store.waitForVersion(sessionId, version)
  }
}

export function qualityGatesSuite(name: string, openStore: () => Promise<EventStore>): void {
  describe(`QualityGateProcessor (${name})`, () => {
    it('evaluates what a session waits for, once, and serves the topic', async () => {
      const { store, coordinator, sessionId, ended } = await checkedSession(openStore)
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
      await store.close()
    })
  })

  describe(`a gate that rejects (${name})`, () => {
    const check = { workItemId: 'a', gateId: 'size' }
    const red = { passed: false, score: 0.1, explanation: 'red', evidence: 'not ok 1' }
    const green = { passed: true, score: 1, explanation: 'green' }

    it('is answered to who published it or asked, though the next attempt has begun; it is evaluated once', async () => {
      const session = await checkedSession(openStore)
      const { store, coordinator, sessionId, ended } = session
      const gates = new EventDrivenQualityGates({ store })
      expect(await gates.publishQualityGateResult({ sessionId, ...check, ...red })).toMatchObject(red)

      await waitsFor(session, 'gate:a:2:size')
      let runs = 0
      const size = () => ({ ...red, explanation: `run ${++runs}` })
      const processor = new QualityGateProcessor({ store, functions: { size } })
      expect(await processor.processQualityCheck({ sessionId, ...check })).toMatchObject({ explanation: 'run 1' })

      await waitsFor(session, 'gate:a:3:size')
      expect(await gates.publishQualityGateResult({ sessionId, ...check, ...green })).toMatchObject(green)
      expect(await ended).toMatchObject({ status: 'completed', totals: { revisions: 2, workerCalls: 3 } })
      expect(runs).toBe(1)
      await Promise.all([processor.stop(), gates.stop(), coordinator.close()])
      await store.close()
    })

    it('counts for the attempt it names: late, it is not taken for a verdict on the next one', async () => {
      const session = await checkedSession(openStore)
      const { store, coordinator, sessionId, ended } = session
      const gates = new EventDrivenQualityGates({ store })
      const publish = (attempt: number, found: object) =>
        gates.publishQualityGateResult({ sessionId, ...check, ...red, ...found, attempt })
      expect(await publish(1, red)).toMatchObject(red)
      await waitsFor(session, 'gate:a:2:size')
      expect(await publish(1, green)).toMatchObject(red)
      await expect(publish(3, green)).rejects.toMatchObject({ code: 'CALL_NOT_FOUND' })
      expect((await coordinator.show(sessionId)).workItems[0]?.gates).toEqual([])
      expect(await publish(2, green)).toMatchObject(green)
      expect(await ended).toMatchObject({ status: 'completed', totals: { workerCalls: 2 } })
      await Promise.all([gates.stop(), coordinator.close()])
      await store.close()
    })
  })

  describe(`EventDrivenQualityGates (${name})`, () => {
    it('claims nothing for a result that is none; keeps texts without secrets, and short enough for an event', async () => {
      const { store, coordinator, sessionId, ended } = await checkedSession(openStore)
      const gates = new EventDrivenQualityGates({ store })
      const result = { sessionId, workItemId: 'a', gateId: 'size', passed: true, score: 1, explanation: 'ok' }
      await expect(gates.publishQualityGateResult({ ...result, evidence: 5 as never })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
      expect((await coordinator.show(sessionId)).calls.at(-1)).toMatchObject({ purpose: 'gate', status: 'reserved' })
      const evidence = `API_KEY=sk-ant-api03-abcdefghijklmnop\n${'x'.repeat(5_000_000)}`
      const outcome = await gates.publishQualityGateResult({ ...result, evidence })
      expect(outcome.evidence).not.toContain('abcdefghijklmnop')
      expect(outcome.evidence!.length).toBeLessThan(10_000)
      expect((await ended).status).toBe('completed')
      await Promise.all([gates.stop(), coordinator.close()])
      await store.close()
    })

    it('records what was found elsewhere, exactly as given, and tells it on quality.gates', async () => {
      const { store, coordinator, sessionId, ended } = await checkedSession(openStore)
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
      await store.close()
    })
  })
}
