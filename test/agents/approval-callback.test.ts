import { describe, expect, it } from 'vitest'
import { approvalCallback } from '../../src/agents/approval-callback.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { approval, planOf } from './session/play.ts'

const token = 'a-token-nobody-can-guess'

async function waitingSession(settings: object = {}) {
  const store = openMemoryStore()
  const execute = async ({ purpose }: { purpose: string }) => {
    const structured = purpose === 'plan' ? planOf({ a: {} }) : approval
    return { output: 'done', ...(purpose !== 'work' && { structured }) }
  }
  const clock = virtualClock()
  const coordinator = new KafkaAgentCoordinator({ store, executor: { execute }, clock, workDirChanges: false })
  await coordinator.run('x', { sessionId: 's', settings: { approvals: { plan: true, ...settings } } })
  return { store, coordinator, clock, handle: approvalCallback({ store, token }) }
}

function post(
  body: unknown,
  change: { headers?: Record<string, string>; method?: string; url?: string } = {},
): Request {
  const { method = 'POST', url = 'http://127.0.0.1:8080/approvals' } = change
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...change.headers }
  return new Request(url, { method, headers, ...(method === 'POST' && { body: JSON.stringify(body) }) })
}

const yes = { sessionId: 's', approvalId: 'plan', approved: true, reason: 'go' }

describe('the approval callback', () => {
  it('records an answer once; another answer after it is refused and changes nothing', async () => {
    const { handle, coordinator } = await waitingSession()
    const response = await handle(post(yes))
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ approvalId: 'plan', status: 'given', reason: 'go' })
    expect((await handle(post(yes))).status).toBe(200)
    expect((await handle(post({ ...yes, approved: false }))).status).toBe(409)
    expect((await coordinator.resume('s')).status).toBe('completed')
    await coordinator.close()
  })

  it.each([
    ['without the token', {}, { headers: { authorization: 'Bearer wrong' } }, 401],
    ['by GET', {}, { method: 'GET' }, 405],
    ['as a form of another site would', {}, { headers: { 'content-type': 'text/plain' } }, 415],
    ['under a foreign name', {}, { url: 'http://evil.example/approvals' }, 403],
    ['with a field too many', { by: 'me' }, {}, 400],
    ['about a session that is not there', { sessionId: 'ghost' }, {}, 404],
    ['about something nobody asked', { approvalId: 'ghost' }, {}, 404],
    ['with too long a reason', { reason: 'x'.repeat(70_000) }, {}, 413],
    ['as a revision of what was not rejected', { revise: true }, {}, 400],
  ])('refuses what comes %s', async (_name, change, request, status) => {
    const { handle, coordinator } = await waitingSession()
    const response = await handle(post({ ...yes, ...change }, request))
    expect(response.status).toBe(status)
    expect(await response.json()).toHaveProperty('error')
    expect((await coordinator.show('s')).approvals).toMatchObject([{ status: 'requested' }])
  })

  it('wants a token worth the name', () => {
    expect(() => approvalCallback({ store: openMemoryStore(), token: 'short' })).toThrow('at least 16 characters')
  })
})

describe('the time limit of an approval', () => {
  it('takes effect when the session is gone on with after it, in whatever process', async () => {
    const { store, coordinator, clock } = await waitingSession({ timeoutMs: 60_000, onTimeout: 'approve' })
    await coordinator.close()
    clock.advance(60_000)
    const execute = async ({ purpose }: { purpose: string }) => ({
      output: JSON.stringify(purpose === 'work' ? {} : approval),
    })
    const other = new KafkaAgentCoordinator({ store, executor: { execute }, clock, workDirChanges: false })
    const view = await other.resume('s')
    expect(view).toMatchObject({ status: 'completed', approvals: [{ status: 'given', by: 'timeout' }] })
    await other.close()
  })

  it('takes effect in a process that looks after all sessions, once', async () => {
    const { store, coordinator, clock } = await waitingSession({ timeoutMs: 60_000 })
    const others = [1, 2].map(() => new KafkaAgentCoordinator({ store, clock, reapEveryMs: 10 }))
    await Promise.all(others.map((other) => other.start()))
    clock.advance(60_000)
    const version = (await coordinator.show('s')).version
    await store.waitForVersion('s', version + 1)
    await Promise.all([coordinator, ...others].map((each) => each.close()))
    let denied = 0
    for await (const event of store.readStream('s')) if (event.type === 'ApprovalDenied') denied += 1
    expect(denied).toBe(1)
  })
})
