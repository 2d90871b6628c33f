import { lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../../core/logger.ts'
import { messageOf } from '../../core/message-of.ts'
import { type HolderFile, type HolderFolder, holderFolder } from '../sqlite/holder-file.ts'
import { loadSqlite } from '../sqlite/open-database.ts'

/*
 * A death on this machine is known at once, without waiting for a lease. Whoever announces owners holds a file here, locked as
 * long as it lives, and names it in its beats. Where the file is found without the lock, its process has ended, however it
 * ended: the kernel drops the locks of the dead, and no others. Where it is not found (another machine, another container,
 * swept away) nothing is known, and the lease decides.
 */

export interface Witness {
  /** One start of one machine: a folder that machines share witnesses nothing. */
  readonly machine: string
  /** Of the file. */
  readonly id: string
}

/** A process touches its file with each beat. */
const FORGOTTEN_MS = 24 * 3_600_000

export class Witnesses {
  readonly #logger: Logger
  readonly #path: string
  #folder: Promise<HolderFolder | undefined> | undefined
  #own: HolderFile | undefined

  constructor(logger: Logger, path = join(tmpdir(), `duolog-alive-${process.getuid?.() ?? 'user'}`)) {
    this.#logger = logger
    this.#path = path
  }

  /** This process's own; nothing where no file can be held, and others wait for the lease. */
  async hold(): Promise<Witness | undefined> {
    const folder = await this.#open()
    try {
      this.#own ??= folder?.hold()
      return this.#own && { machine: thisMachine(), id: this.#own.id }
    } catch (error) {
      return this.#without(error)
    }
  }

  /** Its process has ended, for certain. */
  async saysDead({ machine, id }: Witness): Promise<boolean> {
    if (machine !== thisMachine()) return false
    const folder = await this.#open()
    try {
      return folder?.look(id) === 'left'
    } catch {
      return false // in the way was something else than a lock
    }
  }

  touch(): void {
    try {
      this.#own?.touch()
    } catch {
      // It was swept away: from now on the lease decides.
    }
  }

  release(): void {
    this.#own?.release()
    this.#own = undefined
  }

  #open(): Promise<HolderFolder | undefined> {
    this.#folder ??= this.#prepare().catch((error: unknown) => this.#without(error))
    return this.#folder
  }

  async #prepare(): Promise<HolderFolder> {
    mkdirSync(this.#path, { recursive: true, mode: 0o700 })
    insistOnOwn(this.#path)
    const folder = holderFolder(await loadSqlite(), this.#path)
    folder.sweep(FORGOTTEN_MS)
    return folder
  }

  #without(error: unknown): undefined {
    const said = { folder: this.#path, error: messageOf(error) }
    this.#logger.debug(said, 'No file can be held there: if this process dies, others wait for its lease to end')
    return undefined
  }
}

/** In a folder of somebody else the living could be made to look dead. */
function insistOnOwn(path: string): void {
  const found = lstatSync(path)
  const isOurs = process.getuid === undefined || (found.uid === process.getuid() && (found.mode & 0o022) === 0)
  if (!isOurs || !found.isDirectory()) throw new Error(`${path} is not a folder of this user alone`)
}

let machine: string | undefined

function thisMachine(): string {
  machine ??= bootId() ?? hostname()
  return machine
}

/** Of this start of the machine, where the system tells. */
function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}
