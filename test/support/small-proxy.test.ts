import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from './broker-native.ts'
import { SmallProxy } from './small-proxy.ts'

describe('the small proxy', () => {
  let server: Server
  let proxy: SmallProxy
  const clients: Socket[] = []

  beforeEach(async () => {
    server = createServer((socket) => void socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const upstream = typeof address === 'object' && address !== null ? address.port : 0
    proxy = await SmallProxy.listen(await freePort(), upstream)
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    await proxy.close()
    server.close()
  })

  async function connected(): Promise<Socket> {
    const client = connect(proxy.port, '127.0.0.1')
    clients.push(client)
    client.on('error', () => {})
    await once(client, 'connect')
    return client
  }

  /** However it closes. */
  function closed(client: Socket): Promise<void> {
    return new Promise((resolve) => client.once('close', () => resolve()))
  }

  async function echoed(client: Socket, text: string): Promise<string> {
    client.write(text)
    const [chunk] = await once(client, 'data')
    return String(chunk)
  }

  it('leads both ways', async () => {
    expect(await echoed(await connected(), 'hello')).toBe('hello')
  })

  it('cuts open connections and new ones, until it is healed', async () => {
    const client = await connected()
    await echoed(client, 'here')
    const gone = closed(client)
    proxy.cut()
    await gone
    const late = connect(proxy.port, '127.0.0.1')
    late.on('error', () => {})
    await closed(late)
    proxy.heal()
    expect(await echoed(await connected(), 'again')).toBe('again')
  })

  it('delays, in order', async () => {
    const client = await connected()
    proxy.delay(50)
    const before = performance.now()
    expect(await echoed(client, 'slow')).toBe('slow')
    expect(performance.now() - before).toBeGreaterThan(90)
    proxy.heal()
    expect(await echoed(client, 'quick')).toBe('quick')
  })

  it('falls silent with connections open, and ends them when it is healed', async () => {
    const client = await connected()
    await echoed(client, 'here')
    proxy.fallSilent()
    const heard: string[] = []
    client.on('data', (chunk) => heard.push(String(chunk)))
    client.write('into the void')
    const late = await connected() // accepted, and never answered
    late.write('anyone?')
    const ends = [closed(client), closed(late)]
    proxy.heal()
    await Promise.all(ends)
    expect(heard).toEqual([])
  })

  it('resets', async () => {
    const client = await connected()
    await echoed(client, 'here')
    const failed = new Promise((resolve) => client.once('error', resolve))
    proxy.reset()
    expect(String(await failed)).toContain('ECONNRESET')
  })
})
