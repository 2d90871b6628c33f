import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { type MessagesReply, type MessagesRequest, startMessagesApi } from '../support/messages-api.ts'
import { demoFolder, spawnDemo, summaryOf } from './run-demo.ts'

/*
 * The demo with the real SDK and the real Claude Code; only the model behind them is a stand-in.
 */

const EXAMPLE = new URL('../../examples/dual-agent/', import.meta.url)
const MODEL = 'claude-sonnet-4-5'
const script = JSON.parse(readFileSync(new URL('dual-agent.script.json', EXAMPLE), 'utf8')) as {
  plans: { strategy: string; workItems: { id: string; title: string }[] }[]
}
const [plan] = script.plans
const solutions: Record<string, string> = {
  money: 'money.mjs',
  shares: 'shares.v2.mjs',
  settle: 'settle.mjs',
  report: 'report.mjs',
}

/** Plans as the script does, writes the right solutions at once, approves. */
function answer(request: MessagesRequest, folder: string): MessagesReply {
  const asked = JSON.stringify(request.messages)
  const tools = JSON.stringify(request.tools ?? [])
  if (!tools.includes('StructuredOutput')) return work(asked, workDirIn(request, folder))
  if (asked.includes('tool_result')) return { text: 'It is done.' }
  const verdict = { approved: true, qualityScore: 0.9, feedback: [], recommendations: [] }
  const { strategy, workItems } = plan!
  return {
    tool: { name: 'StructuredOutput', input: tools.includes('qualityScore') ? verdict : { strategy, workItems } },
  }
}

function workDirIn(request: MessagesRequest, folder: string): string {
  const said = JSON.stringify(request)
  const from = said.indexOf(`${folder}/demo-`)
  return said.slice(from, said.indexOf('/project', from) + '/project'.length)
}

/** Claude Code lets nobody write over a file that was not read. */
function work(asked: string, workDir: string): MessagesReply {
  const answered = asked.split('"tool_result"').length - 1
  if (answered >= 2) return { text: 'It is done.' }
  // A work prompt names its own item first, and items that are finished after it.
  const [item] = [...plan!.workItems].sort((a, b) => placeOf(asked, a.title) - placeOf(asked, b.title))
  const file_path = join(workDir, `src/${item!.id}.mjs`)
  if (answered === 0) return { tool: { name: 'Read', input: { file_path } } }
  const content = readFileSync(new URL(`solutions/${solutions[item!.id]}`, EXAMPLE), 'utf8')
  return { tool: { name: 'Write', input: { file_path, content } } }
}

function placeOf(asked: string, title: string): number {
  const at = asked.indexOf(title)
  return at < 0 ? Infinity : at
}

it('npm run demo -- --executor claude: planned, killed, gone on with and brought to green, its cost per model told', async () => {
  const folder = demoFolder()
  const api = await startMessagesApi((request) => answer(request, folder))
  onTestFinished(async () => {
    await api.close()
    rmSync(folder, { recursive: true, force: true })
  })
  mkdirSync(join(folder, 'home'))
  const demo = spawnDemo(folder, ['--executor', 'claude', '--json', '--style', 'orchestration'], {
    HOME: join(folder, 'home'),
    ANTHROPIC_BASE_URL: api.url,
    ANTHROPIC_API_KEY: 'sk-test-0000000000000000',
    ANTHROPIC_MODEL: MODEL,
    CLAUDECODE: undefined,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
  })
  const [stdout, stderr] = await Promise.all([text(demo.stdout!), text(demo.stderr!), once(demo, 'close')])
  const run = { exitCode: demo.exitCode, stdout, stderr }
  const { problems, projectTests, totals, killed } = summaryOf(run)
  expect(problems, stderr).toEqual([])
  expect(projectTests).toEqual({ green: true, counts: '24 passed, 0 failed' })
  expect(killed?.successor).toEqual(expect.any(String))
  expect(totals.usage?.models?.[MODEL]?.costUsd).toBeGreaterThan(0)
  expect(stderr).toContain('this costs real money')
  expect(stderr).toMatch(/tool +Write: .*money\.mjs/)
}, 240_000)
