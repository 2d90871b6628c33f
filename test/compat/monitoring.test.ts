import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { SDKDualAgentCoordinator } from '../../src/compat/sdk-dual-agent-coordinator.ts'
import { eventsOf, HostAgents, heardBy, planOf } from './agents.ts'

const one = planOf({ a: {} })

async function dashboard(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/monitoring`
}

async function run(monitoring: string) {
  const warnings: string[] = []
  const logger = { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => void warnings.push(text) }
  const extras = { log: 'memory:', executor: new HostAgents(one), sessionFiles: false, monitoring, logger } as const
  const made = new SDKDualAgentCoordinator({}, { ...extras, workDirChanges: false })
  const heard = heardBy(made)
  await made.startCoordination('build it', { workDir: '/tmp' })
  return { made, ...heard, warnings: warnings.filter((text) => text.startsWith('The dashboard')) }
}

it('posts every coordination event to the dashboard, in order, in the shape it knows', async () => {
  const posted: unknown[] = []
  const url = await dashboard((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      posted.push(JSON.parse(Buffer.concat(chunks).toString()))
      response.end('{"success":true}')
    })
  })
  const { made, all, warnings } = await run(url)
  const { sessionId } = made.getExecutionContext()
  const told = all.filter(([name]) => name === 'coordination_event').map(([, event]) => event)
  expect(told).toHaveLength(11)
  expect(posted).toEqual(
    JSON.parse(JSON.stringify(told)).map(({ type, agentRole, data, timestamp }: Record<string, unknown>) => ({
      agentType: agentRole,
      messageType: 'coordination_event',
      message: type,
      metadata: { eventType: type, eventData: data, timestamp, coordinationType: 'SDK_BASED' },
      sessionInfo: { sessionId, task: 'build it', workDir: '/tmp' },
    })),
  )
  expect(eventsOf(all, 'WORKER_PROGRESS_UPDATE')[0]?.agentRole).toBe('worker')
  expect(warnings).toEqual([])
})

it.each([
  ['refuses', (_, response) => void response.writeHead(500).end()],
  ['says nothing', () => undefined],
] as [string, RequestListener][])(
  'a dashboard that %s costs the session nothing, and is told of once',
  async (_, answer) => {
    const url = await dashboard(answer)
    const { made, warnings } = await run(url)
    expect(made.getWorkflowState()).toMatchObject({ completedWorkItems: 1, phase: 'completion' })
    expect(warnings).toEqual([`The dashboard at ${url} does not hear; the session goes on`])
  },
)

it('refuses what is no URL at once', () => {
  const make = (monitoring: string) => () => new SDKDualAgentCoordinator({}, { monitoring })
  expect(make('localhost:4005')).toThrow('monitoring: "localhost:4005" is no URL such as http://')
  expect(make('http://dashboard.example/api/monitoring')).not.toThrow()
})
