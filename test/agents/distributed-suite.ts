import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import type { RecordedEvent } from '../../src/core/event.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { readJournal } from './distributed-check.ts'
import { type Service, type ServiceKind, spawnDuolog, startService } from './distributed-service.ts'
import { killWith, livingWith, until } from './executors/support.ts'

/* What services do when one of them hangs, and what a cancel reaches: real processes over any log. */

/** Left alone, more than enough on busy cores; the product's own limit is 1 s on a quiet machine. */
const CANCEL_LIMIT_MS = 5_000
const item = { id: 'a', title: 'a', description: 'Make a', acceptanceCriteria: ['a is there'], dependencies: [] }

const scriptWith = (workMs: number) => ({
  plans: [{ strategy: 'one', workItems: [{ ...item, priority: 1 }] }],
  items: { a: { attempts: [{ delayMs: workMs }] } },
})

/** An agent with children: one of its own, one that is deaf to SIGTERM, one in a session of its own. */
const TREE = `
sh -c 'sleep 600; :' "$1" &
sh -c 'trap "" TERM; while :; do sleep 600; done' "$1" &
setsid sh -c 'sleep 600; :' "$1" &
wait
`

/** `openLog` gives the address of a fresh log whose leases are short. */
export function servicesSuite(name: string, openLog: (dir: string) => string): void {
  let dir: string
  let logUrl: string
  let store: EventStore
  let services: Service[]

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'duolog-services-'))
    mkdirSync(join(dir, 'work'))
    logUrl = openLog(dir)
    store = await openEventStore(logUrl)
    services = []
  })
  afterEach(async () => {
    await Promise.all(services.map((service) => service.kill()))
    await store.close()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  })

  const writeScript = (workMs: number) => writeFileSync(join(dir, 'script.json'), JSON.stringify(scriptWith(workMs)))

  async function start(kind: ServiceKind, flags: readonly string[] = []): Promise<Service> {
    const service = startService(kind, logUrl, dir, flags)
    services.push(service)
    await service.ready
    return service
  }

  async function createSession(): Promise<void> {
    const coordinator = new KafkaAgentCoordinator({ store })
    const workDir = join(dir, 'work')
    await coordinator.create('x', { sessionId: 's1', workDir, settings: { dispatch: 'topics' } })
    await coordinator.close()
  }

  async function untilEvent(type: string): Promise<RecordedEvent> {
    for (let version = 1; ; version++) {
      await store.waitForVersion('s1', version)
      const [event] = await Array.fromAsync(store.readStream('s1', { from: version, maxCount: 1 }))
      if (event?.type === type) return event
    }
  }

  const startsOf = (pid: number) => readJournal(dir).filter((entry) => entry.phase === 'start' && entry.pid === pid)

  describe(`services (${name})`, () => {
    it('P8: a frozen worker counts as dead after its lease; thawed, its late report is refused and changes nothing', async () => {
      writeScript(0)
      await start('manager')
      writeScript(600_000)
      const frozen = await start('worker')
      await createSession()
      await until(() => startsOf(frozen.pid).length > 0)
      frozen.freeze()
      writeScript(0)
      const other = await start('worker')
      const doubt = await untilEvent('AgentCallInDoubt')
      expect(doubt.data).toMatchObject({ callId: 'work:a:1', owner: expect.stringContaining(`worker-${frozen.pid}-`) })
      await untilEvent('SessionCompleted')

      frozen.thaw()
      const refused = await untilEvent('AgentCallReportRefused')
      expect(refused.data).toMatchObject({
        callId: 'work:a:1',
        owner: expect.stringContaining(`worker-${frozen.pid}-`),
      })
      const view = await new KafkaAgentCoordinator({ store }).show('s1')
      expect(view).toMatchObject({
        status: 'completed',
        totals: { accepted: 1, workerCalls: 2, inDoubtCalls: 1, refusedReports: 1 },
      })
      const work = view.calls.filter(({ purpose }) => purpose === 'work')
      expect(work.map(({ status }) => status)).toEqual(['in-doubt', 'completed'])
      expect([startsOf(frozen.pid).length, startsOf(other.pid).length]).toEqual([1, 1])
    })

    describe('cancel from another process', () => {
      let marker: string
      beforeEach(() => {
        marker = `duolog-tree-${randomUUID()}`
        writeFileSync(join(dir, 'tree.sh'), TREE)
      })
      afterEach(() => killWith(marker))

      const agent = () => ['--command', `sh ${join(dir, 'tree.sh')} ${marker}`]
      const treeOf = () => livingWith(marker).filter((line) => !line.includes('--command'))

      /** The tree stands; it is cancelled; when that is recorded of the call, nothing of the tree is left. */
      async function cancelsTheTree(callId: string): Promise<void> {
        await until(() => treeOf().length >= 4)
        const cancel = spawnDuolog(['cancel', 's1', '--log', logUrl], dir)
        const ended = once(cancel, 'close')
        const cancelled = await untilEvent('SessionCancelled')
        const stopped = await untilEvent('AgentCallCancelled')
        expect(treeOf()).toEqual([])
        expect(stopped.data).toMatchObject({ callId, reason: 'the session is cancelled' })
        const tookMs = Date.parse(stopped.timestamp) - Date.parse(cancelled.timestamp)
        expect(tookMs).toBeLessThan(CANCEL_LIMIT_MS)
        expect(await ended).toEqual([0, null])
        process.stderr.write(`cancel (${name}, ${callId}): the whole tree gone after ${tookMs} ms\n`)
      }

      it("of a session that services run: the worker's agent is stopped with all it has started", async () => {
        writeScript(0)
        await Promise.all([start('manager'), start('worker', agent())])
        await createSession()
        await cancelsTheTree('work:a:1')
      })

      it('of a session that another process runs itself', async () => {
        const run = spawnDuolog(['run', 'x', '--session', 's1', '--log', logUrl, ...agent()], dir)
        const ended = once(run, 'close')
        await cancelsTheTree('plan:1')
        expect(await ended).toEqual([1, null])
      })
    })
  })
}
