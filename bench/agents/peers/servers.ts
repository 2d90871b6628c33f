import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { traced } from '../child.ts'

/* Servers that peers need: ours to begin and to end, on loopback, with data of their own. */

export interface Server {
  /** What the contender's program is given. */
  readonly place: string
  /** Where its data is; for the size. */
  readonly data: string
  readonly pid: number
  stop(): Promise<void>
}

export interface ServerOptions {
  readonly packages: string
  /** A folder for this server alone. */
  readonly folder: string
  /** Its syncs are written here, a line each. */
  readonly syncsTo?: string
}

/** PostgreSQL as the system has it, with its default settings: a commit is synced. */
export async function startPostgres({ folder, syncsTo }: ServerOptions): Promise<Server> {
  const initdb = globSync('/usr/lib/postgresql/*/bin/initdb').at(-1)
  if (initdb === undefined) throw new Error('no PostgreSQL on this machine (Debian: apt-get install postgresql)')
  mkdirSync(folder, { recursive: true })
  const as = userOf(folder)
  const data = join(folder, 'data')
  const made = spawnSync(as[0] ?? initdb, [
    ...as.slice(1),
    ...(as[0] ? [initdb] : []),
    '-D',
    data,
    '-A',
    'trust',
    '-U',
    'bench',
  ])
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  const port = await freePort()
  const [file = '', ...rest] = [
    ...as,
    ...(syncsTo === undefined ? [] : traced(syncsTo)),
    initdb.replace(/initdb$/, 'postgres'),
    ...['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
  ]
  const child = spawn(file, rest, { stdio: 'ignore', cwd: folder })
  const pidFile = join(data, 'postmaster.pid')
  await ready(child, () => existsSync(pidFile) && /\bready\b/.test(readFileSync(pidFile, 'utf8')))
  return {
    place: `postgresql://bench@127.0.0.1:${port}/bench`,
    data,
    pid: child.pid!,
    stop: () => end(child, 'SIGINT'),
  }
}

/** PostgreSQL refuses to run as root. */
function userOf(folder: string): readonly string[] {
  if (process.getuid?.() !== 0) return []
  const id = Number(spawnSync('id', ['-u', 'postgres'], { encoding: 'utf8' }).stdout)
  chownSync(folder, id, id)
  chmodSync(join(folder, '..'), 0o755)
  return ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups']
}

/** Restate's server of the npm package, with its default settings. */
export async function startRestate({ packages, folder, syncsTo }: ServerOptions): Promise<Server> {
  const binary = globSync(join(packages, 'node_modules/@restatedev/restate-server-*/bin/restate-server'))[0]
  if (binary === undefined) throw new Error('the package of Restate has no server for this machine')
  mkdirSync(folder, { recursive: true })
  const data = join(folder, 'data')
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const [ingress, admin, node] = ports.map((port) => `127.0.0.1:${port}`)
  const [file = '', ...rest] = [
    ...(syncsTo === undefined ? [] : traced(syncsTo)),
    binary,
    ...['--base-dir', data, '--bind-address', node!, '--advertised-address', `http://${node}`],
    ...['--listen-mode', 'tcp', '--no-logo', '--log-filter', 'error'],
  ]
  const env = { ...process.env, RESTATE_INGRESS__BIND_ADDRESS: ingress, RESTATE_ADMIN__BIND_ADDRESS: admin }
  const child = spawn(file, rest, {
    stdio: 'ignore',
    cwd: folder,
    env: { ...env, RESTATE_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: '1' },
  })
  await ready(child, () => answers(`http://${admin}/health`))
  await ready(child, () => answers(`http://${ingress}/restate/health`))
  return {
    place: `http://${ingress} http://${admin} ${ports[3]}`,
    data,
    pid: child.pid!,
    stop: () => end(child, 'SIGTERM'),
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  )
}

async function ready(child: ChildProcess, test: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempts = 0; attempts < 300; attempts++) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode} before it was ready`)
    if (await test()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await end(child, 'SIGKILL')
  throw new Error(`${child.spawnfile} was not ready within 30 s`)
}

async function end(child: ChildProcess, signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exited
  clearTimeout(late)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
