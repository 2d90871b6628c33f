import type { DatabaseSync } from 'node:sqlite'

export type OwnerTable = ReturnType<typeof ownerTable>

/** Which processes speak for an owner. Changes belong in a write transaction. */
export function ownerTable(db: DatabaseSync) {
  const add = db.prepare('INSERT OR IGNORE INTO owners (owner, holder) VALUES (?, ?)')
  const remove = db.prepare('DELETE FROM owners WHERE owner = ? AND holder = ?')
  const find = db.prepare('SELECT holder FROM owners WHERE owner = ?')
  return {
    add(owner: string, holder: string): void {
      add.run(owner, holder)
    },
    remove(owner: string, holder: string): void {
      remove.run(owner, holder)
    },
    holders(owner: string): string[] {
      return find.all(owner).map((row) => String(row.holder))
    },
  }
}
