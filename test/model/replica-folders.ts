import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as sqlite from 'node:sqlite'
import { silentLogger } from '../../src/core/logger.ts'
import { prepareFolder } from '../../src/store/kafka/replica-file.ts'
import { SqliteReplica } from '../../src/store/kafka/sqlite-replica.ts'

/*
 * Replicas in files for the processes of one run, each with a folder of its own: a successor finds what the killed one left.
 */

/** Where the machine has a file system in memory: no replica of a run outlives it. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export class ReplicaFolders {
  readonly #topic: string
  #root: string | undefined
  readonly #databases = new Map<number, sqlite.DatabaseSync[]>()

  constructor(topic: string) {
    this.#topic = topic
  }

  open(process: number): SqliteReplica {
    this.#root ??= mkdtempSync(join(PLACE, 'duolog-model-'))
    const directory = join(this.#root, String(process))
    prepareFolder(directory)
    const place = { directory, topic: this.#topic, partition: 0, partitionCount: 1 }
    return new SqliteReplica({
      sqlite: { ...sqlite, DatabaseSync: this.#recording(process) },
      place,
      logger: silentLogger,
    })
  }

  /** As when the process dies: locks go, what was not committed goes. */
  kill(process: number): void {
    for (const db of this.#databases.get(process) ?? []) if (db.isOpen) db.close()
    this.#databases.delete(process)
  }

  remove(): void {
    for (const process of [...this.#databases.keys()]) this.kill(process)
    if (this.#root !== undefined) rmSync(this.#root, { recursive: true, force: true })
  }

  #recording(process: number): typeof sqlite.DatabaseSync {
    const databases = this.#databases.get(process) ?? []
    this.#databases.set(process, databases)
    return class extends sqlite.DatabaseSync {
      constructor(...args: ConstructorParameters<typeof sqlite.DatabaseSync>) {
        super(...args)
        databases.push(this)
      }
    }
  }
}
