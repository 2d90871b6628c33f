import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/agents/session/view.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type Folder, newFolder, type Started, script } from './duolog.ts'

let folder: Folder
let started: Started[] = []
beforeEach(() => {
  folder = newFolder()
  folder.write('agents.json', script())
  folder.write('slow.json', script({ secondMs: 600_000 }))
})
afterEach(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(started.map(({ ended }) => ended))
  started = []
  folder.remove()
})

function start(...args: string[]): Started {
  const process = folder.start(args)
  started.push(process)
  return process
}

async function ready(...args: string[]): Promise<Started> {
  const service = start(...args)
  await service.saysOnStderr(`duolog ${args[0]}: ready`)
  return service
}

describe('manager, worker and coordinator as processes', () => {
  it('do the work of a session that run only starts and follows; a killed worker costs one call in doubt', async () => {
    const manager = await ready('manager', '--script', 'agents.json')
    const coordinator = await ready('coordinator')
    const first = await ready('worker', '--script', 'slow.json')
    const gate = ['--gate', 'there=test -f first.txt']
    const run = start('run', 'x', '--dispatch', 'topics', '--session', 's1', ...gate, '--json')
    await run.saysOnStderr('second: assigned')
    await until(() => folder.executions().includes('work second'))
    first.child.kill('SIGKILL')
    const second = await ready('worker', '--script', 'agents.json')

    const { code, stdout } = await run.ended
    const view = JSON.parse(stdout) as SessionView
    expect({ code, status: view.status }).toEqual({ code: 0, status: 'completed' })
    expect(view.totals).toMatchObject({ accepted: 2, workerCalls: 3, managerCalls: 3, gateRuns: 2, inDoubtCalls: 1 })
    expect(folder.executions().filter((name) => name.startsWith('work'))).toEqual([
      'work first',
      'work second',
      'work second',
    ])

    manager.child.kill('SIGTERM')
    coordinator.child.kill('SIGTERM')
    second.child.kill('SIGINT')
    const ends = await Promise.all([manager.ended, coordinator.ended, second.ended])
    expect(ends.map((end) => ({ code: end.code, stdout: end.stdout }))).toEqual(Array(3).fill({ code: 0, stdout: '' }))
  })

  it('go on when the process that follows is interrupted; resume follows again', async () => {
    const run = start('run', 'x', '--dispatch', 'topics', '--session', 's1')
    await run.saysOnStderr('duolog worker')
    await run.saysOnStderr('session s1 started')
    run.child.kill('SIGINT')
    const interrupted = await run.ended
    expect(interrupted.code).toBe(130)
    expect(interrupted.stdout).toContain('duolog events s1 --follow')

    await Promise.all([ready('manager', '--script', 'agents.json'), ready('worker', '--script', 'agents.json')])
    const resumed = await folder.json(['resume', 's1'])
    expect(resumed).toMatchObject({ status: 'completed', totals: { accepted: 2, workerCalls: 2, inDoubtCalls: 0 } })
  })
})

describe('a service whose checkpoint is not of this log', () => {
  it.each([
    ['coordinator', 'gate', 'quality.gates', []],
    ['manager', 'manager', 'agent.tasks.manager', ['--script', 'agents.json']],
    ['worker', 'worker', 'agent.tasks.worker', ['--script', 'agents.json']],
  ])('ends: %s with exit code 1, the reason on stderr and as JSON', async (name, role, topic, flags) => {
    const store = await openEventStore(`file:${folder.file('other.db')}`)
    const checkpoint = { group: `duolog.${role}`, topic, partition: 0, offset: 1000 }
    await store.appendToStream('other', [], { checkpoint })
    await store.close()
    const { code, stdout, stderr } = await start(name, ...flags, '--log', 'file:other.db', '--json').ended
    expect({ code, said: JSON.parse(stdout) }).toMatchObject({ code: 1, said: { error: { code: 'CHECKPOINT_AHEAD' } } })
    expect(stderr).toContain(`duolog: The group "duolog.${role}" is at 1000 of partition 0 of "${topic}"`)
  })
})

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 20))
}
