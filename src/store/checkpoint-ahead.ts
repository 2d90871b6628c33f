import { DuologError } from '../core/errors.ts'
import type { PartitionPosition } from './event-store.ts'

/*
 * A place that lies behind the end of its partition: nobody can have read so far in this log. Where to go on cannot be
 * known, and going on there once the log has grown so far would skip what it has by then. So the reader ends.
 */

/** What knows its place and where its partition ends. */
interface Placed {
  position(): PartitionPosition
  end(): Promise<number>
}

/** @throws CHECKPOINT_AHEAD */
export async function checkNotAhead(source: Placed, who: string): Promise<void> {
  const position = source.position()
  if (position.offset === 0) return
  const end = await source.end()
  if (position.offset > end) throw checkpointAhead(who, position, end)
}

export function checkpointAhead(
  who: string,
  { topic, partition, offset }: PartitionPosition,
  end: number,
): DuologError {
  return new DuologError(
    'CHECKPOINT_AHEAD',
    `${who} is at ${offset} of partition ${partition} of "${topic}", but the partition ends at ${end}: it is another log, ` +
      'the topic was made anew, or records were lost. Nothing of it is handled. Restore the log, or begin anew: reset the ' +
      'checkpoint, or use a new name.',
  )
}

export function groupName(group: string): string {
  return `The group "${group}"`
}
