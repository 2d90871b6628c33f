import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/*
 * What every contender does: sessions of so many steps, one recorded before the next one begins. The step is the same
 * for all: it answers at once with 300 bytes.
 */

export interface Engine {
  /** Runs a session, or goes on with it after its last recorded step. Resolves when all its steps are recorded. */
  run(id: string, steps: number): Promise<void>
  close(): Promise<void>
}

export interface EngineOptions {
  /** Folder whose node_modules has the contender; of ours, the folder that has its dist. */
  readonly packages: string
  /** Where it keeps what it records: a file or an address. */
  readonly place: string
  /**
   * Called each time a step is executed, with its number from 0. `inDoubt`: the contender says itself that it may have
   * been executed before.
   */
  readonly step: (id: string, number: number, inDoubt?: boolean) => Promise<string> | string
}

export type OpenEngine = (options: EngineOptions) => Promise<Engine>

/** A package of the peer's folder. What it exports is said by the caller: its types are not installed here. */
export function load<T>(folder: string, name: string): T {
  return createRequire(join(folder, 'package.json'))(name) as T
}

/** An entry of ours, as it is built. */
export function loadBuilt<T>(folder: string, entry: string): Promise<T> {
  return import(pathToFileURL(join(folder, 'dist', `${entry}.js`)).href)
}
