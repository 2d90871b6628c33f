import { checkName } from '../check-arguments.ts'
import type { Announcement, Liveness, Presence } from '../event-store.ts'
import type { LogFile } from './log-file.ts'

/** Owners by name: rows that say which process speaks for them; the process's lock says whether it lives. */
export interface FilePresence extends Presence {
  withdrawAll(): Promise<void>
}

export function filePresence(log: LogFile): FilePresence {
  const announced = new Map<string, number>()

  async function add(owner: string): Promise<void> {
    const holder = log.holders.own()
    await log.transact(() => log.owners.add(owner, holder))
  }

  async function remove(owner: string): Promise<void> {
    const left = (announced.get(owner) ?? 1) - 1
    if (left > 0) {
      announced.set(owner, left)
      return
    }
    announced.delete(owner)
    const holder = log.holders.own()
    await log.transact(() => {
      // Announced again meanwhile: then it stays.
      if (!announced.has(owner)) log.owners.remove(owner, holder)
    })
  }

  return {
    async announce(owner): Promise<Announcement> {
      checkName('The owner', owner)
      announced.set(owner, (announced.get(owner) ?? 0) + 1)
      try {
        await add(owner)
      } catch (error) {
        await remove(owner).catch(() => {})
        throw error
      }
      let withdrawn: Promise<void> | undefined
      return {
        withdraw: () => {
          withdrawn ??= remove(owner)
          return withdrawn
        },
      }
    },

    async liveness(owner): Promise<Liveness> {
      checkName('The owner', owner)
      const holders = await log.read(() => log.owners.holders(owner))
      const verdicts = new Set(holders.map((holder) => log.holders.liveness(holder)))
      if (verdicts.has('alive')) return 'alive'
      return verdicts.has('unknown') ? 'unknown' : 'dead'
    },

    async withdrawAll() {
      const owners = [...announced.keys()]
      announced.clear()
      if (owners.length === 0) return
      const holder = log.holders.own()
      await log.transact(() => {
        for (const owner of owners) log.owners.remove(owner, holder)
      })
    },
  }
}
