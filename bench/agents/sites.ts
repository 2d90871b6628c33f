import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Broker } from '../../test/support/broker.ts'
import type { OpenSite } from './contend.ts'
import type { startPostgres } from './peers/servers.ts'

/* Where contenders keep what they record: a new file, a new prefix on a broker, a new server. */

/** Folder of this repository. */
export const repository = fileURLToPath(new URL('../../', import.meta.url))

/**
 * What a contender runs is built, as a user's program would be: the package, and the bench's own program. Node takes
 * 60 ms to read TypeScript, which each start of a contender would be charged with.
 */
export function build(): void {
  run('scripts/build-if-older.ts')
  const form = ['--no-config', '--format', 'esm', '--target', 'node22', '--clean', '--silent']
  run('node_modules/tsup/dist/cli-default.js', 'bench/agents/program.ts', ...form, '--out-dir', 'bench/agents/dist')
}

function run(...command: readonly string[]): void {
  const { status } = spawnSync(process.execPath, command, { cwd: repository, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`${command[0]} failed`)
}

interface Place {
  readonly root: string
  readonly form: string
  /** Folder whose node_modules has it. */
  readonly packages: string
}

/** `scheme` stands before the path in what the contender is given. */
export function fileSite({ root, form, packages }: Place, scheme = ''): () => Promise<OpenSite> {
  return async () => {
    const folder = newFolder(root)
    const data = join(folder, 'log.db')
    const close = async () => rmSync(folder, { recursive: true, force: true })
    return { contender: { form, packages, place: `${scheme}${data}` }, data, folder, close }
  }
}

/** One broker for all, a prefix of its own for each. */
export function kafkaSite({ root, form, packages }: Place, broker: Broker): () => Promise<OpenSite> {
  return async () => {
    const place = `kafka://${broker.address}/?prefix=bench-${randomUUID()}.`
    const { native } = broker
    return {
      contender: { form, packages, place },
      folder: root,
      close: async () => {},
      ...(native && { serverPid: native.pid }),
    }
  }
}

export function serverSite({ root, form, packages }: Place, begin: typeof startPostgres) {
  return async (traceServer: boolean): Promise<OpenSite> => {
    const folder = newFolder(root)
    const syncsTo = join(folder, 'syncs')
    const server = await begin({ packages, folder, ...(traceServer && { syncsTo }) })
    const { place, data, pid } = server
    const close = async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
    const contender = { form, packages, place }
    return { contender, data, folder, serverPid: pid, ...(traceServer && { syncsTo }), close }
  }
}

function newFolder(root: string): string {
  const folder = join(root, randomUUID())
  mkdirSync(folder)
  return folder
}
