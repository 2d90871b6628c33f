import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/agents/session/view.ts'
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
