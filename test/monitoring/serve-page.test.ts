import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ServedPage, type ServePageOptions, servePage } from '../../src/monitoring/serve-page.ts'
import type { EventStore, ReadStreamOptions } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { ask, readStream, type StreamReader } from './read-stream.ts'
import { beginSession, goOn } from './sessions.ts'

let store: EventStore
let page: ServedPage
const readers: StreamReader[] = []

beforeEach(async () => {
  store = await openEventStore('memory:')
  page = await servePage({ store })
})
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close()
  await page.close()
  await store.close()
})

async function serve(options: Partial<ServePageOptions>): Promise<void> {
  await page.close()
  page = await servePage({ store, ...options })
}

async function look(sessionId: string, headers: Record<string, string> = {}, query = ''): Promise<StreamReader> {
  const reader = await readStream(`${page.url}api/sessions/${sessionId}/events${query}`, headers)
  readers.push(reader)
  return reader
}

const positions = ({ rows }: StreamReader) => rows.map(({ position }) => position)
const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe('the events of a session', () => {
  it('come history first, then live, in order, once each; the picture with them', async () => {
    await beginSession(store, 's1', 'Build the thing')
    await goOn(store, 's1', 3)
    const reader = await look('s1')
    await reader.reaches(4)
    for (let times = 0; times < 20; times++) await goOn(store, 's1', 1)
    await reader.reaches(24)
    expect(positions(reader)).toEqual(span(1, 24))
    expect(reader.pictures[0]).toMatchObject({
      sessionId: 's1',
      task: 'Build the thing',
      status: 'planning',
      version: 4,
    })
    await vi.waitFor(() => expect(reader.pictures.at(-1)).toMatchObject({ version: 24, phase: 'execution' }))
  })

  it('go on right after Last-Event-ID, which counts more than ?after', async () => {
    await beginSession(store, 's1')
    await goOn(store, 's1', 9)
    const first = await look('s1')
    await first.reaches(10)
    const last = first.ids.at(-1)
    first.close()
    await goOn(store, 's1', 5)
    const again = await look('s1', { 'last-event-id': String(last) }, '?after=2')
    await again.reaches(15)
    expect(positions(again)).toEqual(span(11, 15))
    const asked = await look('s1', {}, '?after=13')
    await asked.reaches(15)
    expect(positions(asked)).toEqual([14, 15])
  })

  it('begin with the newest of a long history, and a page that comes back misses none of many', async () => {
    await beginSession(store, 's1')
    await goOn(store, 's1', 1999)
    const fresh = await look('s1')
    await fresh.reaches(2000)
    expect(positions(fresh)).toEqual(span(1501, 2000))
    const back = await look('s1', { 'last-event-id': '1' })
    await back.reaches(2000)
    expect(positions(back)).toEqual(span(2, 2000))
  })

  it('come without the picture from an event that this program cannot read, which is said', async () => {
    await beginSession(store, 's1')
    await store.appendToStream('s1', [{ type: 'Teleported', data: { to: 'the moon' } }])
    await goOn(store, 's1', 1)
    const reader = await look('s1')
    await reader.reaches(3)
    expect(reader.rows[1]).toMatchObject({ type: 'Teleported', text: 'to the moon', detail: 'to: the moon' })
    expect(reader.problems[0]).toMatch(/^The picture stops here: .*Teleported/)
    expect(reader.pictures.at(-1)).toMatchObject({ version: 1 })
  })

  it('are shortened, whatever an agent wrote', async () => {
    await beginSession(store, 's1', 'x'.repeat(50_000))
    const reader = await look('s1')
    await reader.reaches(1)
    const { text, detail } = reader.rows[0]!
    expect([text.length, detail.length, reader.pictures[0]?.task.length]).toEqual([240, 6000, 400])
  })
})

describe('how many look, and how fast', () => {
  it('is no matter to the log: a session has one subscription, which ends with its last page', async () => {
    await beginSession(store, 's1')
    await beginSession(store, 's2')
    const all = await Promise.all(['s1', 's1', 's1', 's2'].map((sessionId) => look(sessionId)))
    await Promise.all(all.map((reader) => reader.reaches(1)))
    expect(page.subscriptions).toBe(2)
    for (const reader of all.slice(1)) reader.close()
    await vi.waitFor(() => expect(page.subscriptions).toBe(1))
    await goOn(store, 's1', 1)
    await all[0]!.reaches(2)
    all[0]!.close()
    await vi.waitFor(() => expect(page.subscriptions).toBe(0))
  })

  it('is bounded, with a clear answer to the one too many', async () => {
    await serve({ maxOpenPages: 2 })
    await beginSession(store, 's1')
    const [first] = await Promise.all([look('s1'), look('s1')])
    const refused = await ask(`${page.url}api/sessions/s1/events`)
    expect(refused).toMatchObject({ status: 503, text: expect.stringContaining('2 pages are open already') })
    first.close()
    await vi.waitFor(async () => expect((await look('s1')).status).toBe(200))
  })

  it('a reader that takes nothing is not read for, and gets all of it in the end', async () => {
    let read = 0
    const counted = async function* (stream: string, options?: ReadStreamOptions) {
      for await (const event of store.readStream(stream, options)) {
        if (options?.consistency === 'eventual') read++
        yield event
      }
    }
    const counting = new Proxy(store, {
      get: (target, name) => {
        const value = name === 'readStream' ? counted : Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    await serve({ store: counting })
    await beginSession(store, 's1')
    const count = 4000
    await goOn(store, 's1', count, 'y'.repeat(6000))
    const reader = await look('s1', { 'last-event-id': '1' })
    reader.pause()
    // As much as the operating system takes for the connection, and then no more.
    const stands = async () => {
      const before = read
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(read).toBe(before)
    }
    await vi.waitFor(stands, { timeout: 10_000 })
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(count / 2)
    reader.resume()
    await reader.reaches(count + 1)
    expect(positions(reader)).toEqual(span(2, count + 1))
  })
})

describe('what is refused', () => {
  it('another host than loopback, and what is no port', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.7', 'example.com', '']) {
      const refused = await servePage({ store, host }).catch((error: unknown) => error)
      expect(refused, host).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('host must be 127.0.0.1'),
      })
    }
    await expect(servePage({ store, port: 70_000 })).rejects.toThrow('port must be a whole number from 0')
    const taken = Number(new URL(page.url).port)
    await expect(servePage({ store, port: taken })).rejects.toThrow(
      `port ${taken} cannot be used: another program has it`,
    )
  })

  it.each([
    ['a name pointed to this machine', { host: 'evil.example' }],
    ['its own address at another port', { host: '127.0.0.1:1' }],
    ['a script of another site', { origin: 'https://evil.example' }],
    ['a frame or an image of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
  ])('%s', async (_, headers) => {
    for (const path of ['', 'page.js', 'api/sessions', 'api/sessions/s1/events']) {
      expect((await ask(page.url + path, headers)).status, path).toBe(403)
    }
  })

  it('whatever could change something', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await ask(`${page.url}api/sessions`, {}, method)
      expect([status, headers.allow], method).toEqual([405, 'GET, HEAD'])
    }
    expect(await ask(page.url, {}, 'HEAD')).toMatchObject({ status: 200, text: '' })
  })

  it('a session that is not there, or no session at all', async () => {
    await store.appendToStream('order-1', [{ type: 'Placed', data: {} }])
    for (const name of ['nobody', 'order-1']) {
      const refused = await ask(`${page.url}api/sessions/${name}/events`)
      expect(refused).toMatchObject({ status: 404, text: expect.stringContaining(`There is no session "${name}"`) })
      expect((await ask(`${page.url}sessions/${name}`)).status).toBe(404)
    }
    expect(page.subscriptions).toBe(0)
  })

  it.each(['abc', '-1', '1.5', '1e3'])('the position %s', async (position) => {
    await beginSession(store, 's1')
    const url = `${page.url}api/sessions/s1/events`
    const expected = { status: 400, text: expect.stringContaining('must be the position of an event') }
    expect(await ask(url, { 'last-event-id': position })).toMatchObject(expected)
    expect(await ask(`${url}?after=${position}`)).toMatchObject(expected)
  })

  it('a position of another log, an address that cannot be read, and what is not there', async () => {
    await beginSession(store, 's1')
    const ahead = await ask(`${page.url}api/sessions/s1/events`, { 'last-event-id': '7' })
    expect(ahead).toMatchObject({ status: 409, text: expect.stringContaining('ends at event 1, the page has seen 7') })
    expect((await ask(`${page.url}sessions/%zz`)).status).toBe(400)
    for (const path of [
      'package.json',
      '..%2f..%2fpackage.json',
      'api',
      'api/sessions/s1',
      'sessions',
      'api/sessions/s1/events/1',
    ])
      expect((await ask(page.url + path)).status, path).toBe(404)
  })
})

describe('the page itself', () => {
  it('runs no script and takes no style but its own files, and lets nobody frame it', async () => {
    const { status, headers, text } = await ask(page.url)
    expect(status).toBe(200)
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).not.toContain('unsafe')
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
    })
    expect(text).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?:/)
    const files = [...text.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, name]) => name)
    for (const name of files) expect((await ask(`${page.url}${name}`)).status, name).toBe(200)
  })

  it('has every file that its scripts import, and makes no markup of text', async () => {
    const waiting = ['page.js']
    const seen = new Set<string>()
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      seen.add(name)
      const { status, headers, text } = await ask(page.url + name)
      expect([status, headers['content-type']], name).toEqual([200, 'text/javascript; charset=utf-8'])
      expect(text, name).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/)
      for (const [, next = ''] of text.matchAll(/from '\.\/([^']+)'/g)) if (!seen.has(next)) waiting.push(next)
    }
    expect(seen.size).toBeGreaterThan(5)
  })

  it('lists the sessions, the newest first, and no other stream', async () => {
    await store.appendToStream('order-1', [{ type: 'Placed', data: {} }])
    await beginSession(store, 's1', 'The first')
    await new Promise((resolve) => setTimeout(resolve, 2))
    await beginSession(store, 's2', 'The second')
    const { text } = await ask(`${page.url}api/sessions`)
    const { sessions, more } = JSON.parse(text)
    expect(more).toBe(false)
    expect(sessions).toMatchObject([
      { sessionId: 's2', task: 'The second', status: 'planning', workItems: 0, accepted: 0, costUsd: 0, events: 1 },
      { sessionId: 's1', task: 'The first' },
    ])
  })

  it('ends: connections, subscriptions, and what waits; twice is once', async () => {
    await beginSession(store, 's1')
    const reader = await look('s1')
    await reader.reaches(1)
    await page.close()
    await page.close()
    expect(page.subscriptions).toBe(0)
    await vi.waitFor(() => expect(reader.ended).toBe(true))
    await expect(ask(page.url)).rejects.toThrow('ECONNREFUSED')
  })

  it('ends its streams when the log is closed under it', async () => {
    await beginSession(store, 's1')
    const reader = await look('s1')
    await reader.reaches(1)
    await store.close()
    await vi.waitFor(() => expect(reader.ended).toBe(true))
    expect((await ask(`${page.url}api/sessions`)).status).toBe(503)
    expect(page.subscriptions).toBe(0)
  })
})
