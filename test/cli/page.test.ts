import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { beginSession } from '../monitoring/sessions.ts'
import { type Folder, newFolder } from './duolog.ts'

describe('duolog page', () => {
  let folder: Folder
  beforeAll(async () => {
    folder = newFolder()
    const store = await openEventStore(`file:${folder.file('log.db')}`)
    await beginSession(store, 's 1', 'Shown by the command')
    await store.close()
  })
  afterAll(() => folder.remove())

  it('prints where the page is, serves it until it is interrupted, and ends in order', async () => {
    const served = folder.start(['page', 's 1', '--log', 'file:log.db'])
    const [line] = await once(served.child.stdout!, 'data')
    const url = new URL(String(line).trim())
    expect([url.hostname, url.pathname]).toEqual(['127.0.0.1', '/sessions/s%201'])
    expect(await (await fetch(url)).text()).toContain('<script type="module" src="/page.js">')
    const list = await fetch(new URL('/api/sessions', url))
    expect(await list.json()).toMatchObject({ sessions: [{ sessionId: 's 1', task: 'Shown by the command' }] })
    served.child.kill('SIGINT')
    expect(await served.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('refuses a host that others can reach, a session that is not there, and a log that is not there', async () => {
    const reachable = await folder.run(['page', '--log', 'file:log.db', '--host', '0.0.0.0'])
    expect(reachable).toMatchObject({ code: 2, stderr: expect.stringContaining('host must be 127.0.0.1') })
    const nobody = await folder.run(['page', 'nobody', '--log', 'file:log.db'])
    expect(nobody).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no session "nobody"') })
    const nowhere = await folder.run(['page', '--log', 'file:none.db'])
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no log at') })
  })
})
