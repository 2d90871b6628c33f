import { writeSync } from 'node:fs'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'

/* Another process on the log, to be killed, frozen or waited for. */

export interface GuestProgram {
  readonly path: string
  readonly role: 'owner' | 'member' | 'waiter'
  /** Owner: its name. Member: its group. Waiter: its stream. */
  readonly name: string
  readonly leaseMs?: number
  /** Member: never finishes handling this message. */
  readonly stuckAt?: number
}

const { path, role, name, leaseMs, stuckAt } = JSON.parse(process.argv[2] ?? '{}') as GuestProgram
const store = await openSqliteStore({ path }, leaseMs === undefined ? {} : { leaseMs })
const say = (line: string) => writeSync(1, `${line}\n`)

const roles = {
  async owner() {
    await store.presence.announce(name)
    say('announced')
    setInterval(() => {}, 1000)
  },
  async member() {
    const handler = async ({ data }: { readonly data: unknown }) => {
      const { n } = data as { n: number }
      say(`handling ${n}`)
      if (n === stuckAt) await new Promise(() => {})
    }
    await store.consume({ group: name, topics: ['session.events'], handler }).ready
    say('ready')
  },
  async waiter() {
    say('waiting')
    say(`reached ${await store.waitForVersion(name, 1)}`)
    await store.close()
  },
}
await roles[role]()
