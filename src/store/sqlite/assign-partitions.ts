/*
 * Who should own which partition: a pure function of the members and the partitions, so that all members come to the
 * same answer without talking.
 */

interface Member {
  readonly member: string
  readonly topics: readonly string[]
}

interface Partition {
  readonly topic: string
  readonly partition: number
}

/** Deals the partitions in turn among the members that read their topic; a partition nobody reads has no owner. */
export function assignPartitions<P extends Partition>(
  members: readonly Member[],
  partitions: readonly P[],
): ReadonlyMap<P, string> {
  const wanted = new Map<P, string>()
  partitions.forEach((place, index) => {
    const readers = members.filter(({ topics }) => topics.includes(place.topic))
    const reader = readers[index % readers.length]
    if (reader !== undefined) wanted.set(place, reader.member)
  })
  return wanted
}
