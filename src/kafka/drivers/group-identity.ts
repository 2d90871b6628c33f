/*
 * A member of a group and the generation of its partitions, as one text: what a checkpoint carries as its owner.
 */

export interface Membership {
  readonly memberId: string
  readonly generationId: number
}

/** In a request: nobody in particular, and the broker stops nobody. */
const NOBODY: Membership = { memberId: '', generationId: -1 }

export function identityOf({ memberId, generationId }: Membership): string {
  return `${memberId}/${generationId}`
}

/** Groups count from 1. */
const NO_GENERATION = 0

/** What is not the identity of a member in a generation is nobody's: no group takes it. */
export function membershipOf(identity: string | undefined): Membership {
  if (identity === undefined) return NOBODY
  const cut = identity.lastIndexOf('/')
  const generationId = Number(identity.slice(cut + 1))
  if (cut < 0 || !Number.isInteger(generationId)) return { memberId: identity, generationId: NO_GENERATION }
  return { memberId: identity.slice(0, cut), generationId }
}
