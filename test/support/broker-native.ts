import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { brokerLibraries } from './broker-libraries.ts'

/*
 * A real Kafka broker without Docker: Java and the artefacts of Maven Central. Combined broker and controller (KRaft)
 * on free ports, data in a temp folder. A shell stands between us and Java: it waits on its stdin, so that when this
 * process ends in whatever way (kill -9 too), the broker is killed and its folder deleted.
 */

const READY_TIMEOUT_MS = 60_000
const run = promisify(execFile)

export interface NativeBrokerOptions {
  /** Keep one port and folder over a restart. Default: a free port, a new temp folder. */
  readonly port?: number
  readonly dir?: string
  /** More lines for server.properties, or other values for ours. */
  readonly properties?: Readonly<Record<string, string>>
  readonly maxHeapMb?: number
  /** The heap and the collector of Kafka's own start script, to measure with. Default: small, and starts fast. */
  readonly asShipped?: boolean
  /** What all brokers of a cluster are formatted with. Default: a new one. */
  readonly clusterId?: string
}

export interface NativeBroker {
  readonly address: string
  readonly port: number
  readonly dir: string
  /** The Java process itself, for tests that kill or freeze it. */
  readonly pid: number
  /** The libraries of the broker, for tests that run a Java client. */
  readonly classPath: string
  /** Kills the broker; deletes the folder unless told to keep it (for a restart on the same data). */
  stop(options?: { readonly keepData?: boolean }): Promise<void>
}

export async function startNativeBroker(options: NativeBrokerOptions = {}): Promise<NativeBroker> {
  const classPath = join(await brokerLibraries(), '*')
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'duolog-broker-')))
  try {
    return await startIn(dir, classPath, options)
  } catch (error) {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
    throw error
  }
}

async function startIn(dir: string, classPath: string, options: NativeBrokerOptions): Promise<NativeBroker> {
  const port = options.port ?? (await freePort())
  const properties = join(dir, 'server.properties')
  await writeFile(properties, serverProperties(dir, port, await freePort(), options.properties ?? {}))
  await writeFile(join(dir, 'log4j2.properties'), LOG4J_PROPERTIES)
  if (!existsSync(join(dir, 'data'))) await format(classPath, properties, options.clusterId ?? newClusterId())
  const watchdog = spawn(
    'sh',
    ['-c', WATCHDOG, 'duolog-broker', dir, ...javaCommand(dir, classPath, properties, options)],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true, // a Ctrl-C in the terminal reaches us, and we end the broker
    },
  )
  const pid = await firstLine(watchdog).then(Number)
  watchdog.unref()
  const broker = { address: `127.0.0.1:${port}`, port, dir, pid, classPath, stop: stopper(watchdog) }
  try {
    await ready(port, watchdog)
  } catch (error) {
    const log = await readFile(join(dir, 'broker.log'), 'utf8').catch(() => '')
    await broker.stop()
    throw new Error(`The Kafka broker did not start:\n${log.slice(-3_000)}`, { cause: error })
  }
  return broker
}

/** `keep` on stdin leaves the folder; the end of stdin (our death too) deletes it. */
const WATCHDOG = `
dir=$1; shift
"$@" >>"$dir/broker.log" 2>&1 </dev/null &
pid=$!
echo $pid
read -r word
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
[ "$word" = keep ] || rm -rf "$dir"
`

function stopper(watchdog: ChildProcess): NativeBroker['stop'] {
  const ended = new Promise<void>((resolve) => watchdog.once('exit', () => resolve()))
  return async ({ keepData = false } = {}) => {
    watchdog.ref()
    watchdog.stdin?.end(keepData ? 'keep\n' : '\n')
    await ended
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.stdout?.once('data', (chunk: Buffer) => {
      resolve(chunk.toString().trim())
      child.stdout?.destroy()
    })
  })
}

async function ready(port: number, watchdog: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (!(await listens(port))) {
    if (Date.now() > deadline || watchdog.exitCode !== null) throw new Error(`Nothing listens on port ${port}`)
    await sleep(50)
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const answer = (open: boolean) => () => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', answer(true)).once('error', answer(false))
  })
}

const LOWEST_PORT = 12_000
const PORTS = 20_000

/**
 * A port nobody uses right now, below those that systems give to outgoing connections: while its broker is down nobody
 * takes it by chance, not even a client that knocks and is connected to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * PORTS)
    if (await mayListenOn(port)) return port
  }
}

function mayListenOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** kafka-server-start.sh and kafka-run-class.sh of Kafka 4. */
const AS_SHIPPED = [
  ...['-Xmx1G', '-Xms1G', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
  ...['-XX:InitiatingHeapOccupancyPercent=35', '-XX:+ExplicitGCInvokesConcurrent', '-Djava.awt.headless=true'],
]

function small(maxHeapMb = 512): string[] {
  return [`-Xmx${maxHeapMb}m`, '-Xms128m', '-XX:+UseSerialGC']
}

function javaCommand(dir: string, classPath: string, properties: string, options: NativeBrokerOptions): string[] {
  return [
    'java',
    ...(options.asShipped === true ? AS_SHIPPED : small(options.maxHeapMb)),
    `-Dlog4j2.configurationFile=${join(dir, 'log4j2.properties')}`,
    '-cp',
    classPath,
    'kafka.Kafka',
    properties,
  ]
}

export function newClusterId(): string {
  // The first bit cleared: an id that begins with "-" would be taken for an option.
  const bytes = crypto.getRandomValues(new Uint8Array(16)).map((byte, index) => (index === 0 ? byte & 0x7f : byte))
  return Buffer.from(bytes).toString('base64url')
}

async function format(classPath: string, properties: string, clusterId: string): Promise<void> {
  const tool = ['-XX:TieredStopAtLevel=1', '-cp', classPath, 'kafka.tools.StorageTool']
  await run('java', [...tool, 'format', '-t', clusterId, '-c', properties])
}

function serverProperties(
  dir: string,
  port: number,
  controllerPort: number,
  more: Readonly<Record<string, string>>,
): string {
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(dir, 'data'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '3',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '3',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
    ...more,
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

const LOG4J_PROPERTIES = `
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
`
