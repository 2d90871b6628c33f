import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/*
 * A TCP proxy in this process that can be cut, delayed, silenced and reset. Small on purpose: the short form of the
 * chaos uses it, the long one uses toxiproxy.
 */

type Mode = 'open' | 'cut' | 'silent'

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
}

export class SmallProxy {
  readonly #server: Server
  readonly #upstreamPort: number
  readonly #pairs = new Set<Pair>()
  readonly #forsaken = new WeakSet<Pair>()
  #mode: Mode = 'open'
  #delayMs = 0
  #tearFromBytes = Number.POSITIVE_INFINITY

  static async listen(port: number, upstreamPort: number): Promise<SmallProxy> {
    const proxy = new SmallProxy(upstreamPort)
    proxy.#server.listen(port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  private constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort
    this.#server = createServer((client) => this.#accept(client))
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Whether an answer is still to be torn. */
  get tears(): boolean {
    return this.#tearFromBytes < Number.POSITIVE_INFINITY
  }

  cut(): void {
    this.#mode = 'cut'
    for (const { client, upstream } of this.#pairs) {
      client.destroy()
      upstream.destroy()
    }
  }

  delay(ms: number): void {
    this.#delayMs = ms
  }

  fallSilent(): void {
    this.#mode = 'silent'
    for (const { client, upstream } of this.#pairs) {
      client.pause()
      upstream.pause()
    }
  }

  /** The connections there are now pass nothing any more and never end; new ones are sound. */
  forsake(): void {
    for (const pair of this.#pairs) this.#forsaken.add(pair)
  }

  /** Of the next answer with a piece of so many bytes half a piece arrives, then its connection ends. */
  tearAnswer(fromBytes: number): void {
    this.#tearFromBytes = fromBytes
  }

  reset(): void {
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
  }

  /** What was silent ends: data that was held back may not come late, as if nothing had been. */
  heal(): void {
    const wasSilent = this.#mode === 'silent'
    this.#mode = 'open'
    this.#delayMs = 0
    if (wasSilent) this.reset()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    if (this.#mode === 'cut') return void client.resetAndDestroy()
    const upstream = connect(this.#upstreamPort, '127.0.0.1')
    const pair = { client, upstream }
    this.#pairs.add(pair)
    this.#lead(client, upstream, pair)
    this.#lead(upstream, client, pair)
    if (this.#mode === 'silent') this.fallSilent()
  }

  #lead(from: Socket, to: Socket, pair: Pair): void {
    const held: Buffer[] = []
    const pass = () => {
      const chunk = held.shift()
      if (this.#forsaken.has(pair)) return
      if (chunk !== undefined && from === pair.upstream && this.#tears(chunk)) {
        to.end(chunk.subarray(0, chunk.length / 2))
        return void from.destroy()
      }
      if (chunk !== undefined && this.#mode === 'open' && !to.destroyed) to.write(chunk)
    }
    from.setNoDelay(true)
    from.on('error', () => {}) // its closing follows
    from.on('data', (chunk: Buffer) => {
      held.push(chunk)
      if (this.#delayMs > 0 || held.length > 1) setTimeout(pass, this.#delayMs)
      else pass()
    })
    from.on('end', () => to.end())
    from.on('close', () => {
      this.#pairs.delete(pair)
      if (to.writableEnded) to.destroySoon()
      else to.destroy()
    })
  }

  #tears({ length }: Buffer): boolean {
    if (length < this.#tearFromBytes) return false
    this.#tearFromBytes = Number.POSITIVE_INFINITY
    return true
  }
}
