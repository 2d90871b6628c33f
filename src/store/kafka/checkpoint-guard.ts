import { DuologError } from '../../core/errors.ts'
import type { Checkpoint } from '../event-store.ts'
import { placeKey } from './names.ts'

/*
 * What this store knows of the checkpoints its consumers hand out. A former owner in another process is stopped by the
 * broker, which is told whose the checkpoint is (W7); here it is stopped without asking, also where it is the same member.
 *
 * P6 A checkpoint of an ended assignment is refused, and none moves its group back.
 */

export class CheckpointGuard {
  /** Places by the identity of the assignment; ended ones are kept as empty sets. */
  readonly #owned = new Map<string, ReadonlySet<string>>()
  /** How far a group came in a place, and whether an append carried it there. */
  readonly #reached = new Map<string, { readonly offset: number; readonly carried: boolean }>()

  own(
    identity: string,
    group: string,
    places: readonly { readonly topic: string; readonly partition: number }[],
  ): void {
    this.#owned.set(identity, new Set(places.map(placeKey)))
    for (const place of places) this.#reached.delete(reachedKey({ group, ...place }))
  }

  disown(identity: string): void {
    if (this.#owned.has(identity)) this.#owned.set(identity, new Set())
  }

  flawOf(checkpoint: Checkpoint): DuologError | undefined {
    const places = checkpoint.owner === undefined ? undefined : this.#owned.get(checkpoint.owner)
    return places === undefined || places.has(placeKey(checkpoint)) ? undefined : fenced(checkpoint)
  }

  /** The group is past it already. */
  isBehind(checkpoint: Checkpoint): boolean {
    return (this.#reached.get(reachedKey(checkpoint))?.offset ?? -1) >= checkpoint.offset
  }

  /** The log has it already: an append carried it there. */
  wasCarried(checkpoint: Checkpoint): boolean {
    const reached = this.#reached.get(reachedKey(checkpoint))
    return reached?.carried === true && reached.offset >= checkpoint.offset
  }

  reached(checkpoint: Checkpoint, how: { readonly carried: boolean }): void {
    if (!this.isBehind(checkpoint)) this.#reached.set(reachedKey(checkpoint), { offset: checkpoint.offset, ...how })
  }
}

function reachedKey({ group, topic, partition }: Pick<Checkpoint, 'group' | 'topic' | 'partition'>): string {
  return `${group}/${topic}/${partition}`
}

export function fenced({ group, topic, partition }: Checkpoint): DuologError {
  return new DuologError(
    'CHECKPOINT_FENCED',
    `Partition ${partition} of "${topic}" belongs to another member of the group "${group}" by now; nothing was written. ` +
      'The new owner gets the message again.',
  )
}
