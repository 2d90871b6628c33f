import { describe, expect, it } from 'vitest'
import { type GateFunction, gateRunner } from '../../../src/agents/gates/gate-runner.ts'
import { gateSchema } from '../../../src/agents/session/gate-settings.ts'

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
