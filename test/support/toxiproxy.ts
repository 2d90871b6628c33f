import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { cacheFolder } from './broker-libraries.ts'
import { freePort } from './broker-native.ts'

/*
 * Shopify's toxiproxy as a test tool: built once by Go from its module, kept in the user's cache folder, spoken to over
 * its HTTP interface on loopback. Ends with this process, however that ends.
 */

const VERSION = 'v2.5.0'
const READY_TIMEOUT_MS = 20_000
const run = promisify(execFile)

export interface Toxiproxy {
  /** `POST path` with a JSON body, or `DELETE path` without one. Throws what it refuses. */
  post(path: string, body?: unknown): Promise<void>
  remove(path: string): Promise<void>
  stop(): Promise<void>
}

async function toxiproxyServer(): Promise<string> {
  const folder = join(cacheFolder(), `toxiproxy-${VERSION}`)
  const program = join(folder, 'server')
  if (existsSync(program)) return program
  await mkdir(folder, { recursive: true })
  await run(goProgram(), ['install', `github.com/Shopify/toxiproxy/v2/cmd/server@${VERSION}`], {
    env: { ...process.env, GOBIN: folder },
  }).catch((cause: unknown) => {
    throw new Error('toxiproxy could not be built: is Go 1.20 or newer on the PATH?', { cause })
  })
  return program
}

function goProgram(): string {
  const usual = '/usr/local/go/bin/go'
  return existsSync(usual) ? usual : 'go'
}

/** The end of stdin (our death too) ends the server. */
const WATCHDOG = '"$@" >/dev/null 2>&1 </dev/null & pid=$!; read -r word; kill -9 $pid'

export async function startToxiproxy(): Promise<Toxiproxy> {
  const program = await toxiproxyServer()
  const port = await freePort()
  const watchdog = spawn('sh', ['-c', WATCHDOG, 'toxiproxy', program, '-host', '127.0.0.1', '-port', String(port)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  const ended = new Promise<void>((resolve) => watchdog.once('exit', () => resolve()))
  const request = async (method: string, path: string, body?: unknown) => {
    const content = body === undefined ? {} : { body: JSON.stringify(body) }
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...content })
    if (!answer.ok) throw new Error(`toxiproxy: ${method} ${path}: ${answer.status} ${await answer.text()}`)
  }
  const toxiproxy: Toxiproxy = {
    post: (path, body) => request('POST', path, body),
    remove: (path) => request('DELETE', path),
    stop: async () => {
      watchdog.stdin?.end()
      await ended
    },
  }
  await ready(() => request('GET', '/version')).catch(async (error: unknown) => {
    await toxiproxy.stop()
    throw error
  })
  return toxiproxy
}

async function ready(ask: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(50)
    }
  }
}
