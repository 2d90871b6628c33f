import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cassette } from '../../src/agents/executors/cassette.ts'
import { packagePrompts } from '../../src/agents/prompts/session-prompts.ts'
import type { SessionView } from '../../src/agents/session/view.ts'
import { type Folder, newFolder, script } from './duolog.ts'

let folder: Folder
beforeAll(() => {
  folder = newFolder()
  folder.write('agents.json', script())
  folder.write(
    'prompts.mjs',
    `export default { work: { version: 'mine-1', render: ({ title }) => 'My way: ' + title } }`,
  )
})
afterAll(() => folder.remove())

const versionsOf = ({ calls }: SessionView) => calls.map(({ purpose, promptVersion }) => `${purpose} ${promptVersion}`)

const recorded = (purpose: string) =>
  purpose === 'work' ? 'work mine-1' : `${purpose} ${packagePrompts[purpose as 'plan' | 'review'].version}`

describe('--prompts', () => {
  it('asks in the words of a module, whose version is recorded with each call, and goes on in them', async () => {
    const given = ['--script', 'agents.json', '--prompts', 'prompts.mjs']
    const waiting = await folder.run(['run', 'x', '--session', 's1', '--approve', 'plan', ...given])
    expect(waiting.code).toBe(3)
    await folder.run(['approve', 's1', 'plan'])
    expect(waiting.stdout).toContain('duolog resume s1 --script agents.json --prompts prompts.mjs')
    const view = await folder.json(['resume', 's1', ...given])
    expect(view.status).toBe('completed')
    expect(versionsOf(view)).toEqual(['plan', 'work', 'review', 'work', 'review'].map(recorded))

    const cassette = await folder.json<Cassette>(['cassette', 's1', '--prompts', 'prompts.mjs'])
    const prompts = cassette.recordings.map(({ request }) => request.prompt)
    expect(prompts.filter((prompt) => prompt.startsWith('My way: '))).toHaveLength(2)
    const unknown = await folder.run(['cassette', 's1'])
    expect(unknown.stderr).toContain('2 of 5 calls were asked with prompts other than those of this version')
    expect(unknown.stderr).toContain('--prompts FILE')
  })

  it('of a fork are the words it is asked in from then on', async () => {
    await folder.run(['run', 'x', '--session', 's2', '--script', 'agents.json'])
    const forked = await folder.run(['fork', 's2', '--at', '3', '--session', 's3', '--prompts', 'prompts.mjs'])
    expect(forked.stdout).toContain('--prompts prompts.mjs')
    const view = await folder.json(['resume', 's3', '--script', 'agents.json', '--prompts', 'prompts.mjs'])
    expect(versionsOf(view).filter((version) => version === 'work mine-1')).toHaveLength(2)
  })

  it.each([
    ['run', 'x', '--script', 'agents.json'],
    ['worker', '--script', 'agents.json'],
    ['manager', '--script', 'agents.json'],
    ['fork', 's1'],
    ['cassette', 's1'],
  ])('that cannot be used are refused before anything is done: %s', async (...command) => {
    folder.write('bad.mjs', 'export default { work: { version: 7, render: () => "" } }')
    const { code, stdout, stderr } = await folder.run([...command, '--prompts', 'bad.mjs', '--json'])
    expect({ code, said: JSON.parse(stdout) }).toMatchObject({ code: 2, said: { error: { code: 'INVALID_ARGUMENT' } } })
    expect(stderr).toMatch(/bad\.mjs cannot be used: prompts\.work\.version: must be a text/)
  })
})
