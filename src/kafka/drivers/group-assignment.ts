/*
 * Who reads what in a consumer group: pure, and the same for whichever member happens to lead.
 */

export interface WantingMember {
  readonly memberId: string
  readonly topics: readonly string[]
}

export interface PartitionedTopic {
  readonly topic: string
  readonly partitions: number
}

export type Assignment = Record<string, number[]>

/**
 * Each topic's partitions go round among the members who read it; each topic starts one member further on, so that
 * topics of few partitions do not all fall to the first.
 */
export function assignRoundRobin(
  members: readonly WantingMember[],
  topics: readonly PartitionedTopic[],
): ReadonlyMap<string, Assignment> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const assignments = new Map<string, Assignment>(sorted.map(({ memberId }) => [memberId, {}]))
  let turn = 0
  for (const { topic, partitions } of topics) {
    const readers = sorted.filter((member) => member.topics.includes(topic))
    for (let partition = 0; partition < partitions && readers.length > 0; partition++, turn++) {
      const assignment = assignments.get(readers[turn % readers.length]?.memberId ?? '') ?? {}
      assignment[topic] = [...(assignment[topic] ?? []), partition]
    }
  }
  return assignments
}
