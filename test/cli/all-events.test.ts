import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RecordedEvent } from '../../src/core/event.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type Folder, newFolder } from './duolog.ts'

describe('events of all sessions', () => {
  let folder: Folder
  let store: EventStore
  beforeAll(async () => {
    folder = newFolder()
    store = await openEventStore(`file:${folder.file('log.db')}`)
    for (const stream of ['order-1', 'order-2', 'lamp-1']) {
      await store.appendToStream(stream, [
        { type: 'Opened', data: { stream } },
        { type: 'Closed', data: { at: 'noon' } },
      ])
    }
  })
  afterAll(async () => {
    await store.close()
    folder.remove()
  })

  const lines = (text: string) => text.split('\n').filter((line) => line !== '')
  const events = (text: string) => lines(text).map((line) => JSON.parse(line) as RecordedEvent)

  it('are printed once each, and the command ends', async () => {
    const { code, stdout } = await folder.run(['events', '--log', 'file:log.db'])
    expect(code).toBe(0)
    expect(lines(stdout)).toHaveLength(6)
    expect(stdout).toMatch(/^lamp-1 {4}2 {2}\S+ {2}Closed +at=noon$/m)
  })

  it('are chosen by category and by type', async () => {
    const args = ['events', '--log', 'file:log.db', '--json', '--category', 'order', '--type', 'Closed']
    const { stdout } = await folder.run(args)
    const seen = events(stdout).map(({ stream, type }) => `${stream} ${type}`)
    expect(seen.sort()).toEqual(['order-1 Closed', 'order-2 Closed'])
  })

  it('go on with --follow, and after an interruption from where they were', async () => {
    const following = folder.start(['events', '--log', 'file:log.db', '--json', '--follow', '--type', 'Late'])
    const first = new Promise<void>((resolve) => following.child.stdout?.once('data', () => resolve()))
    await store.appendToStream('order-1', [{ type: 'Late', data: 1 }])
    await first
    following.child.kill('SIGINT')
    const ended = await following.ended
    expect(ended.code).toBe(130)
    expect(events(ended.stdout).map(({ data }) => data)).toEqual([1])
    await store.appendToStream('lamp-1', [{ type: 'Late', data: 2 }])
    const cursor = /--after (\S+)/.exec(ended.stderr)?.[1] ?? ''
    const rest = await folder.run(['events', '--log', 'file:log.db', '--json', '--after', cursor])
    expect(events(rest.stdout).map(({ data }) => data)).toEqual([2])
  })

  it('of one category and one type go on with --follow, and nothing else comes between', async () => {
    const args = ['events', '--log', 'file:log.db', '--json', '--follow', '--category', 'lamp', '--type', 'Lit']
    const following = folder.start(args)
    const first = new Promise<void>((resolve) => following.child.stdout?.once('data', () => resolve()))
    await store.appendToStream('order-1', [{ type: 'Lit', data: 'another category' }])
    await store.appendToStream('lamp-1', [
      { type: 'Dimmed', data: 'another type' },
      { type: 'Lit', data: 'wanted' },
    ])
    await first
    following.child.kill('SIGINT')
    expect(events((await following.ended).stdout).map(({ data }) => data)).toEqual(['wanted'])
  })

  it('are refused with what counts for one session only, and the other way round', async () => {
    const from = await folder.run(['events', '--log', 'file:log.db', '--from', '3'])
    expect(from).toMatchObject({ code: 2, stderr: expect.stringContaining('--from counts the events of one session') })
    const category = await folder.run(['events', 'order-1', '--log', 'file:log.db', '--category', 'order'])
    expect(category).toMatchObject({ code: 2, stderr: expect.stringContaining('leave the session out') })
    const after = await folder.run(['events', '--log', 'file:log.db', '--after', 'yesterday'])
    expect(after).toMatchObject({ code: 2, stderr: expect.stringContaining('"yesterday" is not a subscription') })
  })
})
