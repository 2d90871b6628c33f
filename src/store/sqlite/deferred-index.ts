import type { DatabaseSync } from 'node:sqlite'

/*
 * A lone append pays for each B-tree it touches: one more page to find, change and flush. So only what every append
 * must see (the stream's versions) is indexed with it; the indexes by partition and by event id are filled for many
 * records at once, in the transaction of the append that completes a round. The views `places` and `ids` look through the
 * few records since.
 */

/** Records to a round. More: cheaper appends, and more rows to look through for the newest of a partition. */
const ROUND_RECORDS = 512

interface DeferredIndex {
  /** To be told of every record written. */
  written(position: number): void
  /** In the transaction, after an append: fills the indexes when a round is complete. */
  fillWhenDue(): void
}

export function deferredIndex(db: DatabaseSync): DeferredIndex {
  const since = 'FROM records NOT INDEXED WHERE position > (SELECT position FROM indexed)'
  const fillPartitions = db.prepare(
    `INSERT INTO partition_index SELECT topic, partition, "offset", position ${since} ORDER BY position`,
  )
  // A repeated id cannot get this far (judge-append.ts); if it did, it must not stop the log.
  const fillIds = db.prepare(
    `INSERT OR IGNORE INTO id_index SELECT event_id, stream, stream_version ${since} AND stream IS NOT NULL`,
  )
  const markIndexed = db.prepare('UPDATE indexed SET position = (SELECT max(position) FROM records)')
  let due = false

  return {
    /** Positions are 1, 2, 3 … in all processes together, so somebody writes each round's last. */
    written(position) {
      if (position % ROUND_RECORDS === 0) due = true
    },

    fillWhenDue() {
      if (!due) return
      due = false
      fillPartitions.run()
      fillIds.run()
      markIndexed.run()
    },
  }
}
