import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { progress } from '../report.ts'
import { type Contender, EVENT_TYPE, eventData } from './workload.ts'

/*
 * Another embedded event store from npm, measured in the same run. Installed outside this package when the bench runs.
 */

const PEER = { '@rotorsoft/act': '1.31.26', '@rotorsoft/act-sqlite': '1.19.4' }
export const PEER_NAME = `@rotorsoft/act-sqlite ${PEER['@rotorsoft/act-sqlite']}`

interface ActStore {
  seed(): Promise<void>
  commit(stream: string, messages: object[], meta: object): Promise<unknown>
  query(callback: (event: { data: unknown }) => void, query: object): Promise<number>
  dispose(): Promise<void>
}
type ActSqlite = { SqliteStore: new (options: { url: string }) => ActStore }

/** Nothing when it cannot be installed here; the output says so. */
export async function openPeer(path: string): Promise<Contender | undefined> {
  try {
    const folder = install()
    const { SqliteStore } = await load(folder)
    const store = new SqliteStore({ url: `file:${path}` })
    await store.seed()
    return contender(store)
  } catch (error) {
    progress(`The peer ${PEER_NAME} is left out: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
    return undefined
  }
}

function install(): string {
  const folder = join(tmpdir(), 'duolog-bench-peers', PEER['@rotorsoft/act-sqlite'])
  if (existsSync(join(folder, 'node_modules/@rotorsoft/act-sqlite'))) return folder
  progress(`Installing ${PEER_NAME} for comparison …`)
  mkdirSync(folder, { recursive: true })
  const manifest = { name: 'peer', version: '1.0.0', private: true, type: 'module', dependencies: PEER }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  const options = { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] as const, timeout: 120_000 }
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], {
    ...options,
    stdio: [...options.stdio],
  })
  return folder
}

/** It reads the package.json of the working directory and logs every call unless told otherwise. */
async function load(folder: string): Promise<ActSqlite> {
  process.env.LOG_LEVEL = 'fatal'
  process.env.NODE_ENV = 'production'
  const before = process.cwd()
  process.chdir(folder)
  try {
    const entry = createRequire(join(folder, 'package.json')).resolve('@rotorsoft/act-sqlite')
    return (await import(pathToFileURL(entry).href)) as ActSqlite
  } finally {
    process.chdir(before)
  }
}

function contender(store: ActStore): Contender {
  const meta = { correlation: 'bench', causation: {} }
  return {
    name: PEER_NAME,
    async append(stream, count) {
      await store.commit(
        stream,
        Array.from({ length: count }, () => ({ name: EVENT_TYPE, data: eventData })),
        meta,
      )
    },
    async read(stream) {
      let count = 0
      await store.query(
        ({ data }) => {
          if (data !== undefined) count++
        },
        { stream, stream_exact: true },
      )
      return count
    },
    close: () => store.dispose(),
  }
}
