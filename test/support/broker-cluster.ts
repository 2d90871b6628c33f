import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { brokerLibraries } from './broker-libraries.ts'
import { freePort, type NativeBroker, newClusterId, startNativeBroker } from './broker-native.ts'
import { plainKafka } from './plain-kafka.ts'

/*
 * A cluster of real brokers on loopback, each a combined broker and controller, each to be killed, restarted, frozen
 * and thawed by itself. Three brokers: everything is kept on all of them, and a commit needs two.
 *
 * With `proxied`, each broker has a second door that gives out another address than its own: put a proxy there, and
 * clients that began at a proxy stay behind the proxies.
 */

const HEAP_MB = 256
const COMPLETE_TIMEOUT_MS = 60_000

export interface NativeClusterOptions {
  /** Default: 3. */
  readonly brokers?: number
  /** A second door for each broker, to be reached through a proxy. */
  readonly proxied?: boolean
  readonly properties?: Readonly<Record<string, string>>
  readonly maxHeapMb?: number
}

export interface NativeCluster {
  /** host:port[,host:port…], without a proxy. */
  readonly address: string
  /** The same through the proxies; empty without `proxied`. */
  readonly proxiedAddress: string
  readonly nodes: readonly ClusterNode[]
  /** The libraries of the brokers, for tests that run a Java client. */
  readonly classPath: string
  /** Resolves when every broker is up and known to the cluster. */
  complete(): Promise<void>
  /** Kills all and deletes their folders. */
  stop(): Promise<void>
}

export interface ClusterNode {
  readonly nodeId: number
  readonly address: string
  /** Where a proxy has to listen, and where it has to lead. Throws without `proxied`. */
  readonly door: Door
  /** SIGKILL; the data stay. */
  kill(): Promise<void>
  /** After `kill`, on the same data and ports. Resolves when it listens. */
  restart(): Promise<void>
  /** SIGSTOP and SIGCONT of the Java process. */
  freeze(): void
  thaw(): void
}

export interface Door {
  readonly proxyPort: number
  readonly brokerPort: number
}

export async function startNativeCluster(options: NativeClusterOptions = {}): Promise<NativeCluster> {
  const classPath = join(await brokerLibraries(), '*')
  const dir = await mkdtemp(join(tmpdir(), 'duolog-cluster-'))
  const plans = await planNodes(dir, options)
  const nodes = plans.map((plan) => new Node(plan))
  const address = nodes.map((node) => node.address).join()
  const cluster: NativeCluster = {
    address,
    proxiedAddress: plans.map(({ proxyPort }) => (options.proxied ? `127.0.0.1:${proxyPort}` : '')).join(),
    nodes,
    classPath,
    complete: () => complete(address, nodes.length),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
      await rm(dir, { recursive: true, force: true })
    },
  }
  try {
    await Promise.all(nodes.map((node) => node.restart()))
    await cluster.complete()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

interface NodePlan {
  readonly nodeId: number
  readonly port: number
  readonly controllerPort: number
  readonly brokerPort: number
  readonly proxyPort: number
  readonly start: () => Promise<NativeBroker>
  readonly proxied: boolean
}

async function planNodes(dir: string, options: NativeClusterOptions): Promise<readonly NodePlan[]> {
  const { brokers = 3, proxied = false, maxHeapMb = HEAP_MB } = options
  const clusterId = newClusterId()
  const ids = Array.from({ length: brokers }, (_, index) => index + 1)
  const ports = await distinctPorts(brokers * 4)
  const portsOf = (nodeId: number) => ports.slice((nodeId - 1) * 4, nodeId * 4) as [number, number, number, number]
  const voters = ids.map((nodeId) => `${nodeId}@127.0.0.1:${portsOf(nodeId)[1]}`).join()
  return ids.map((nodeId) => {
    const [port, controllerPort, brokerPort, proxyPort] = portsOf(nodeId)
    const place = { nodeId, port, controllerPort, brokerPort, proxyPort, proxied }
    const properties = { ...nodeProperties(place, { brokers, voters }), ...options.properties }
    const start = async () => {
      const own = join(dir, String(nodeId))
      await mkdir(own, { recursive: true })
      return startNativeBroker({ port, dir: own, properties, maxHeapMb, clusterId })
    }
    return { ...place, start }
  })
}

async function distinctPorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}

function nodeProperties(
  place: Omit<NodePlan, 'start'>,
  { brokers, voters }: { readonly brokers: number; readonly voters: string },
): Readonly<Record<string, string>> {
  const { nodeId, port, controllerPort, brokerPort, proxyPort, proxied } = place
  const replicas = String(Math.min(brokers, 3))
  const enough = String(Math.min(brokers, 2))
  const own = `PLAINTEXT://127.0.0.1:${port}`
  const second = (doorPort: number) => (proxied ? `,PROXIED://127.0.0.1:${doorPort}` : '')
  return {
    'node.id': String(nodeId),
    'controller.quorum.voters': voters,
    listeners: `${own}${second(brokerPort)},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `${own}${second(proxyPort)}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'default.replication.factor': replicas,
    'min.insync.replicas': enough,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': enough,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': enough,
    // A dead broker is noticed after 3 s instead of 9: tests wait for it often.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
  }
}

class Node implements ClusterNode {
  readonly #plan: NodePlan
  #broker: NativeBroker | undefined

  constructor(plan: NodePlan) {
    this.#plan = plan
  }

  get nodeId(): number {
    return this.#plan.nodeId
  }

  get address(): string {
    return `127.0.0.1:${this.#plan.port}`
  }

  get door(): Door {
    const { proxied, proxyPort, brokerPort } = this.#plan
    if (!proxied) throw new Error('This cluster was started without `proxied`')
    return { proxyPort, brokerPort }
  }

  async restart(): Promise<void> {
    this.#broker ??= await this.#plan.start()
  }

  async kill(): Promise<void> {
    await this.#broker?.stop({ keepData: true })
    this.#broker = undefined
  }

  async stop(): Promise<void> {
    await this.#broker?.stop()
    this.#broker = undefined
  }

  freeze(): void {
    if (this.#broker) process.kill(this.#broker.pid, 'SIGSTOP')
  }

  thaw(): void {
    if (this.#broker) process.kill(this.#broker.pid, 'SIGCONT')
  }
}

/** The brokers that the cluster itself counts as alive. */
export async function aliveBrokers(address: string): Promise<readonly number[]> {
  const patience = { connectionTimeout: 1000, requestTimeout: 1000, retry: { retries: 0 } }
  const kafka = plainKafka(address, patience)
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { brokers } = await admin.describeCluster()
    return brokers.map(({ nodeId }) => nodeId)
  } finally {
    await admin.disconnect()
  }
}

async function complete(address: string, count: number): Promise<void> {
  const deadline = Date.now() + COMPLETE_TIMEOUT_MS
  for (;;) {
    const alive = await aliveBrokers(address).catch(() => [])
    if (alive.length === count) return
    if (Date.now() > deadline) throw new Error(`Of ${count} brokers only ${alive.join() || 'none'} came up`)
    await sleep(100)
  }
}
