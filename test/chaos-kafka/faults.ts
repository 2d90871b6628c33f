import { setTimeout as sleep } from 'node:timers/promises'
import type { NativeCluster } from '../support/broker-cluster.ts'
import type { FaultyNetwork } from './network.ts'
import type { Fault, FaultKind, Kill, Schedule } from './schedule.ts'
import type { Span, WriterProcess } from './writers.ts'

/* Does what the schedule says, one fault at a time (a frozen writer stands beside them), and notes when it did it. */

export interface DoneFault extends Span {
  readonly kind: FaultKind
}

export interface FaultLog {
  readonly fromMs: number
  /** Until then only writers were killed. */
  readonly calmUntilMs: number
  readonly kills: readonly Kill[]
  readonly faults: readonly DoneFault[]
  /** What the test itself could not do. */
  readonly failures: readonly string[]
}

export interface FaultsOptions {
  readonly cluster: NativeCluster
  readonly network: FaultyNetwork
  readonly writers: readonly WriterProcess[]
  readonly say: (text: string) => void
}

const RESET_EVERY_MS = 500

export class Faults {
  readonly #options: FaultsOptions
  readonly #kills: Kill[] = []
  readonly #faults: DoneFault[] = []
  readonly #failures: string[] = []
  readonly #starting: Promise<void>[] = []
  #networkBroken = false

  constructor(options: FaultsOptions) {
    this.#options = options
  }

  async follow(schedule: Schedule): Promise<FaultLog> {
    const fromMs = Date.now()
    const zombies = schedule.faults.filter(({ kind }) => kind === 'zombie')
    const others = schedule.faults.filter(({ kind }) => kind !== 'zombie')
    await Promise.all([
      this.#inOrder(schedule.kills, fromMs, (kill) => this.#kill(kill)),
      this.#inOrder(zombies, fromMs, (fault) => this.#suffer(fault)),
      this.#inOrder(others, fromMs, (fault) => this.#suffer(fault)),
      sleep(schedule.totalMs),
    ])
    await Promise.all(this.#starting)
    return {
      fromMs,
      calmUntilMs: fromMs + schedule.calmUntilMs,
      kills: this.#kills,
      faults: this.#faults,
      failures: this.#failures,
    }
  }

  async #inOrder<T extends { readonly atMs: number }>(
    items: readonly T[],
    fromMs: number,
    act: (item: T) => Promise<void>,
  ): Promise<void> {
    for (const item of items) {
      await sleep(Math.max(0, fromMs + item.atMs - Date.now()))
      await act(item).catch((error: unknown) => void this.#failures.push(`${JSON.stringify(item)}: ${String(error)}`))
    }
  }

  /** The next one that can feel it: not a frozen one, and not the one that is to feel the network. */
  async #kill({ target }: Kill): Promise<void> {
    const { writers } = this.#options
    const turned = writers.map((_, index) => (target + index) % writers.length)
    const chosen = turned.find((index) => !writers[index]?.frozen && !(index === 0 && this.#networkBroken))
    const writer = writers[chosen ?? -1]
    if (writer === undefined) return
    this.#kills.push({ atMs: Date.now(), target: chosen ?? -1 })
    await writer.kill()
    this.#starting.push(writer.start())
  }

  async #suffer(fault: Fault): Promise<void> {
    const fromMs = Date.now()
    this.#options.say(`${fault.kind} (${fault.target}) for ${fault.durationMs} ms`)
    if (fault.kind === 'zombie') await this.#freeze(fault)
    else if (fault.kind === 'broker') await this.#killBroker(fault)
    else await this.#breakNetwork(fault)
    this.#faults.push({ kind: fault.kind, fromMs, toMs: Date.now() })
  }

  async #freeze({ target, durationMs }: Fault): Promise<void> {
    const writer = this.#options.writers[target]
    writer?.freeze()
    await sleep(durationMs)
    writer?.thaw()
  }

  async #killBroker({ target, durationMs }: Fault): Promise<void> {
    const { cluster } = this.#options
    const node = cluster.nodes[target]
    await node?.kill()
    await sleep(durationMs)
    await node?.restart()
    await cluster.complete()
  }

  async #breakNetwork({ kind, target, durationMs }: Fault): Promise<void> {
    const { network } = this.#options
    this.#networkBroken = true
    try {
      if (kind === 'cut') await network.cut()
      else if (kind === 'latency') await network.delay(target)
      else if (kind === 'half-open') await network.fallSilent()
      else await this.#resetFor(durationMs)
      if (kind !== 'reset') await sleep(durationMs)
    } finally {
      await network.heal()
      this.#networkBroken = false
    }
  }

  async #resetFor(durationMs: number): Promise<void> {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= RESET_EVERY_MS) {
      await this.#options.network.reset()
      await sleep(RESET_EVERY_MS)
    }
  }
}
