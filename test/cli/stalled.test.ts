import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { SessionView } from '../../src/agents/session/view.ts'
import { type Folder, newFolder, type Started } from './duolog.ts'

/* A command that prints nothing, and what a person sees of it. */

const item = { id: 'a', title: 'A', description: 'Do A', acceptanceCriteria: ['done'], priority: 1, dependencies: [] }

/** Plans and reviews at once; the first work is silent until go.txt is there. Notes what is begun and what ends by itself. */
const AGENT = `
const { appendFileSync, existsSync } = require('node:fs')
const { DUOLOG_PURPOSE: purpose, DUOLOG_TRY: nth } = process.env
const answers = {
  plan: { structured: ${JSON.stringify({ strategy: 'one', workItems: [item] })} },
  review: { structured: { approved: true, qualityScore: 1, feedback: [], recommendations: [] } },
  work: { output: 'did a' },
}
appendFileSync('runs.txt', purpose + ' begins\\n')
const wait = setInterval(() => {
  if (purpose === 'work' && nth === '1' && !existsSync('go.txt')) return
  clearInterval(wait)
  appendFileSync('runs.txt', purpose + ' ends\\n')
  console.log(JSON.stringify({ type: 'result', ...answers[purpose] }))
}, 20)
`

let folder: Folder
let running: Started | undefined
beforeEach(() => {
  folder = newFolder()
  folder.write('agent.cjs', AGENT)
})
afterEach(async () => {
  running?.child.kill('SIGINT')
  await running?.ended
  folder.remove()
})

function start(...flags: string[]): Started {
  const command = `${process.execPath} agent.cjs`
  running = folder.start([
    'run',
    'x',
    '--command',
    command,
    '--session',
    's',
    '--stalled-after',
    '1',
    '--json',
    ...flags,
  ])
  return running
}

const works = () => {
  const file = folder.file('runs.txt')
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('work'))
    : []
}

it('a silent command is said and shown to be stalled while it runs, and may still answer', async () => {
  const run = start()
  await run.saysOnStderr('call work:a:1 stalled: no sign of life for 1')
  const shown = await folder.run(['show', 's'])
  expect(shown.stdout).toContain('stalled (silent for 1')
  folder.write('go.txt', '')
  const { code, stdout } = await run.ended
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ status: 'completed', totals: { workerCalls: 1 } })
  expect(works()).toEqual(['work begins', 'work ends'])
  expect((await folder.run(['show', 's'])).stdout).not.toContain('stalled')
})

it('with --on-stalled abort it is stopped, with its process, and the call is made again', async () => {
  const run = start('--on-stalled', 'abort')
  const { code, stdout } = await run.ended
  expect(code).toBe(0)
  const view = JSON.parse(stdout) as SessionView
  expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 2, inDoubtCalls: 0 } })
  folder.write('go.txt', '')
  await delay(200)
  expect(works()).toEqual(['work begins', 'work begins', 'work ends'])
})
