import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/agents/session/view.ts'
import { type Folder, newFolder, script } from './duolog.ts'

let folder: Folder
let session: SessionView
beforeAll(async () => {
  folder = newFolder()
  folder.write('fast.json', script())
  session = await folder.json(['run', 'Make two files', '--script', 'fast.json'])
  for (const name of ['fork-one', 'fork-two', 'one']) {
    await folder.json(['fork', session.sessionId, '--at', '5', '--session', name])
  }
})
afterAll(() => folder.remove())

describe('a session on the command line', () => {
  it('is known by its first or last characters', async () => {
    const { sessionId } = session
    for (const part of [sessionId, sessionId.slice(0, 4), sessionId.slice(-6)]) {
      expect(await folder.json(['show', part])).toMatchObject({ sessionId })
    }
    expect(await folder.json(['cancel', 'fork-o', '--reason', 'no more'])).toMatchObject({ sessionId: 'fork-one' })
    expect(await folder.json(['show', 'k-two'])).toMatchObject({ sessionId: 'fork-two' })
  })

  it('is the one of that very id before all others', async () => {
    expect(await folder.json(['show', 'one'])).toMatchObject({ sessionId: 'one' })
  })

  it('is asked for once more where several are meant: nothing is done', async () => {
    const { code, stderr } = await folder.run(['cancel', 'fork'])
    expect(code).toBe(2)
    expect(stderr).toContain('"fork" may be ')
    expect(stderr).toMatch(/fork-one, fork-two|fork-two, fork-one/)
    expect(await folder.json(['show', 'fork-two'])).not.toMatchObject({ status: 'cancelled' })
  })

  it.each(['zzzz', 'fo'])('is not found by %s: of no session, or too short', async (given) => {
    const { code, stderr } = await folder.run(['show', given])
    expect(code).toBe(2)
    expect(stderr).toContain(`"${given}"`)
  })
})
