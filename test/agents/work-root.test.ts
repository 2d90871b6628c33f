import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AgentRequest } from '../../src/agents/executor.ts'
import { QualityGateProcessor } from '../../src/agents/gates/quality-gates.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { ManagerAgentService, WorkerAgentService } from '../../src/agents/role-services.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { approval, planOf } from './session/play.ts'

let folder: string
let workRoot: string
let outside: string
let store: EventStore
let closing: (() => Promise<void>)[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'duolog-root-'))
  workRoot = join(folder, 'root')
  outside = join(folder, 'elsewhere')
  mkdirSync(join(workRoot, 'app'), { recursive: true })
  mkdirSync(outside)
  store = openMemoryStore()
  asked = []
  closing = []
})
afterEach(async () => {
  for (const close of closing.reverse()) await close()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

let asked: string[]
const executor = {
  async execute({ purpose, workDir }: AgentRequest) {
    asked.push(`${purpose} ${workDir}`)
    return { output: '', structured: purpose === 'plan' ? planOf({ a: {} }) : approval }
  },
}
const gates = [{ gateId: 'g', function: 'looks' }]
const functions = {
  looks: () => {
    asked.push('gate')
    return { passed: true, score: 1, explanation: 'fine' }
  },
}

function coordinator(options: { workRoot?: string } = {}): KafkaAgentCoordinator {
  const made = new KafkaAgentCoordinator({
    store,
    executor,
    gateFunctions: functions,
    workDirChanges: false,
    ...options,
  })
  closing.push(() => made.close())
  return made
}

const refused = { code: 'WORKDIR_INVALID', message: expect.stringContaining('outside the allowed folder') }

describe('the allowed folder of a coordinator', () => {
  it.each(['local', 'topics'] as const)(
    'refuses a new session (%s) elsewhere, and takes one inside',
    async (dispatch) => {
      const all = coordinator({ workRoot })
      const settings = { dispatch }
      await expect(all.create('x', { workDir: outside, settings })).rejects.toMatchObject(refused)
      await expect(all.run('x', { workDir: outside, settings })).rejects.toMatchObject(refused)
      expect(await Array.fromAsync(store.listStreams())).toEqual([])
      await all.create('x', { workDir: join(workRoot, 'app'), settings })
    },
  )

  it('refuses to resume a session that another one has begun elsewhere', async () => {
    await coordinator().create('x', { sessionId: 's', workDir: outside })
    await coordinator().pause('s')
    await expect(coordinator({ workRoot }).resume('s')).rejects.toMatchObject(refused)
    expect(asked).toEqual([])
  })

  it('refuses a fork into another folder, and one that stays elsewhere', async () => {
    const workDir = join(workRoot, 'app')
    await coordinator().create('x', { sessionId: 'inside', workDir })
    await coordinator().create('x', { sessionId: 'outside', workDir: outside })
    const all = coordinator({ workRoot })
    await expect(all.fork('inside', { workDir: outside })).rejects.toMatchObject(refused)
    await expect(all.fork('outside')).rejects.toMatchObject(refused)
    await all.fork('outside', { sessionId: 'moved', workDir })
    expect((await coordinator().show('moved')).workDir).toBe(workDir)
  })

  it('refuses the calls that come by a task topic', async () => {
    const all = coordinator({ workRoot })
    await all.start()
    const free = coordinator()
    await free.create('x', { sessionId: 's', workDir: outside, settings: { dispatch: 'topics' } })
    expect(await free.resume('s')).toMatchObject({ status: 'failed', reason: refused.message })
    expect(asked).toEqual([])
  })
})

describe('the allowed folder of a service', () => {
  const inside = () => join(workRoot, 'app')
  const services = {
    manager: (root?: string) => new ManagerAgentService({ store, executor, ...(root && { workRoot: root }) }),
    worker: (root?: string) =>
      new WorkerAgentService({ store, executor, workDirChanges: false, ...(root && { workRoot: root }) }),
    gate: (root?: string) => new QualityGateProcessor({ store, functions, ...(root && { workRoot: root }) }),
  }

  it.each([
    ['manager', []],
    ['worker', ['plan']],
    ['gate', ['plan', 'work']],
  ] as const)('%s: nothing is done elsewhere, and what is inside is done', async (limited, before) => {
    for (const role of ['manager', 'worker', 'gate'] as const) {
      const service = services[role](role === limited ? workRoot : undefined)
      await service.start()
      closing.push(() => service.stop())
    }
    const leader = new KafkaAgentCoordinator({ store, gates: false })
    closing.push(() => leader.close())
    const settings = { dispatch: 'topics', gates } as const
    const view = await leader.run('x', { workDir: outside, settings })
    expect(view.status).toBe('failed')
    expect(JSON.stringify(view)).toContain('outside the allowed folder')
    expect(asked).toEqual(before.map((purpose) => `${purpose} ${outside}`))
    expect(await leader.run('x', { workDir: inside(), settings })).toMatchObject({ status: 'completed' })
  })
})
