import { DuologError } from '../core/errors.ts'

/** Somebody else moved this checkpoint, kept outside the log, or its place is gone; the partition is taken up again where it stands. */
export function checkpointFenced(
  what: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): DuologError {
  return new DuologError(
    'CHECKPOINT_FENCED',
    `The checkpoint of a ${what} in partition ${partition} of "${topic}" is not where this reader left it; nothing was ` +
      'written. It goes on from where it stands.',
    { retry: 'now' },
  )
}
