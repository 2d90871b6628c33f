import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/agents/session/view.ts'
import { readSnippets } from '../docs/snippets.ts'
import { type Folder, newFolder, script } from './duolog.ts'

let folder: Folder
let recorded: SessionView
beforeAll(async () => {
  folder = newFolder()
  folder.write('fast.json', script())
  recorded = await folder.json(['run', 'Make two files', '--script', 'fast.json'])
  folder.write('session.cassette.json', (await folder.run(['cassette', recorded.sessionId])).stdout)
})
afterAll(() => folder.remove())

describe('duolog cassette', () => {
  it('prints what --replay answers from: the same end, nobody asked', async () => {
    const before = folder.executions()
    const again = ['run', 'Make two files', '--replay', 'session.cassette.json', '--log', 'file:./other.db']
    const replayed = await folder.json(again)
    expect(replayed.status).toBe('completed')
    expect(replayed.workItems).toEqual(recorded.workItems)
    expect(folder.executions()).toEqual(before)
  })

  it('is loud about a question it does not hold, a file that is none, and a session that is not there', async () => {
    const other = await folder.run(['run', 'Make three files', '--replay', 'session.cassette.json'])
    expect([other.code, other.stdout]).toEqual([1, expect.stringContaining('The cassette has no answer to plan')])
    const wrong = await folder.run(['run', 'Make two files', '--replay', 'fast.json'])
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('The cassette fast.json cannot be used')])
    const nobody = await folder.run(['cassette', 'nobody'])
    expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining('There is no session "nobody"')])
  })

  it('is one of five ways to have the work done, never two', async () => {
    const two = await folder.run(['run', 'x', '--script', 'fast.json', '--replay', 'session.cassette.json'])
    expect([two.code, two.stderr]).toEqual([2, expect.stringContaining("cannot be used with option '--replay <file>'")])
  })
})

const agent = `
const item = { id: 'flag', title: 'Flag', description: 'Add it', acceptanceCriteria: ['it is there'] }
const answers = {
  plan: { strategy: 'one step', workItems: [item] },
  review: { approved: true, qualityScore: 1, feedback: [], recommendations: [] },
}
export default { execute: async ({ purpose }) => ({ output: 'done', structured: answers[purpose], costUsd: 0.1 }) }
`

describe('the lines of the README', () => {
  it('fork, go on, compare, record and replay', async () => {
    folder.write('my-agent.mjs', agent)
    const { sessionId } = await folder.json(['run', 'Add a --verbose flag', '--executor', './my-agent.mjs'])
    const lines = readSnippets('README.md')
      .find(({ text }) => text.includes('duolog fork SESSION'))!
      .text.split('\n')
    const names: Record<string, string> = { SESSION: sessionId }
    const said: string[] = []
    for (const line of lines.filter(Boolean)) {
      const named = line.replaceAll(/SESSION|FORK/g, (name) => names[name]!)
      const { code, stdout, stderr } = await folder.paste(named.replace('npx ', ''))
      expect([line, code, stderr]).toEqual([line, 0, expect.not.stringContaining('duolog:')])
      names.FORK ??= /Session (\S+) goes on/.exec(stdout)![1]!
      said.push(stdout)
    }
    expect(said).toHaveLength(5)
    expect(said[1]).toContain('1/1 accepted')
    expect(said[2]).toMatch(/worker calls +1 +0|worker calls +1 +1/)
    expect(said[4]).toContain('1/1 accepted')
  })
})
