import type { DatabaseSync } from 'node:sqlite'
import { DuologError } from '../../core/errors.ts'
import type { Checkpoint } from '../event-store.ts'
import type { LogPlaces } from './log-places.ts'

/*
 * Consumer groups as rows: who is a member, who owns which partition, how far the group is. Everything that changes
 * something is called inside a write transaction.
 *
 * P6, P8 `owner` is the fence: a text that changes with every owner. Only who still has it moves the checkpoint.
 */

export interface GroupMemberRow {
  readonly member: string
  readonly holder: string
  readonly topics: readonly string[]
}

export interface GroupPartitionRow {
  readonly topic: string
  readonly partition: number
  readonly owner: string | undefined
  readonly member: string | undefined
}

export interface JoinOptions {
  readonly group: string
  readonly member: string
  readonly holder: string
  readonly topics: readonly string[]
  readonly from: 'beginning' | 'end'
}

export interface Claimed {
  readonly owner: string
  readonly nextOffset: number
}

export type GroupTable = ReturnType<typeof groupTable>

export function groupTable(db: DatabaseSync, places: LogPlaces) {
  const addMember = db.prepare(
    'INSERT OR REPLACE INTO group_members (group_name, member, holder, topics) VALUES (?, ?, ?, ?)',
  )
  const removeMember = db.prepare('DELETE FROM group_members WHERE group_name = ? AND member = ?')
  const listMembers = db.prepare(
    'SELECT member, holder, topics FROM group_members WHERE group_name = ? ORDER BY member',
  )
  const membersOfHolder = db.prepare('SELECT group_name, member FROM group_members WHERE holder = ?')
  const removeOwners = db.prepare('DELETE FROM owners WHERE holder = ?')
  const addPartition = db.prepare(
    'INSERT OR IGNORE INTO group_partitions (group_name, topic, partition, next_offset) VALUES (?, ?, ?, ?)',
  )
  const listPartitions = db.prepare(
    'SELECT name, partition, owner, member FROM group_partitions JOIN topics ON topics.id = topic ' +
      'WHERE group_name = ? ORDER BY name, partition',
  )
  const WHERE = 'WHERE group_name = ? AND topic = ? AND partition = ?'
  const findPartition = db.prepare(`SELECT next_offset, epoch, owner FROM group_partitions ${WHERE}`)
  const setOwner = db.prepare(`UPDATE group_partitions SET epoch = ?, owner = ?, member = ? ${WHERE}`)
  const clearOwner = db.prepare(`UPDATE group_partitions SET owner = NULL, member = NULL ${WHERE} AND owner = ?`)
  const clearMember = db.prepare(
    'UPDATE group_partitions SET owner = NULL, member = NULL WHERE group_name = ? AND member = ?',
  )
  const setOffset = db.prepare(`UPDATE group_partitions SET next_offset = ? ${WHERE}`)

  function addPartitions({ group, from }: JoinOptions, name: string): void {
    const topic = places.topicToWrite(name)
    for (let partition = 0; partition < topic.partitions; partition++) {
      // Fixed now: who joins at the end and dies must not move the beginning for the next one.
      addPartition.run(group, topic.id, partition, from === 'end' ? places.endOf(topic, partition) : 0)
    }
  }

  function leave(group: string, member: string): void {
    clearMember.run(group, member)
    removeMember.run(group, member)
  }

  return {
    leave,

    join(options: JoinOptions): void {
      addMember.run(options.group, options.member, options.holder, JSON.stringify(options.topics))
      for (const topic of options.topics) addPartitions(options, topic)
    },

    /** A process died: all that was in its name is free. */
    removeHolder(holder: string): void {
      for (const row of membersOfHolder.all(holder)) leave(String(row.group_name), String(row.member))
      removeOwners.run(holder)
    },

    members(group: string): GroupMemberRow[] {
      return listMembers.all(group).map((row) => ({
        member: String(row.member),
        holder: String(row.holder),
        topics: JSON.parse(String(row.topics)),
      }))
    },

    partitions(group: string): GroupPartitionRow[] {
      return listPartitions.all(group).map((row) => ({
        topic: String(row.name),
        partition: Number(row.partition),
        owner: textOf(row.owner),
        member: textOf(row.member),
      }))
    },

    /** Takes the partition if it is free. */
    claim(group: string, member: string, name: string, partition: number): Claimed | undefined {
      const topic = places.topicToWrite(name)
      const row = findPartition.get(group, topic.id, partition)
      if (row === undefined || row.owner !== null) return undefined
      const epoch = Number(row.epoch) + 1
      const owner = `${member}#${epoch}`
      setOwner.run(epoch, owner, member, group, topic.id, partition)
      return { owner, nextOffset: Number(row.next_offset) }
    },

    /** Frees the partition if `owner` still has it. */
    release(group: string, owner: string, name: string, partition: number): void {
      clearOwner.run(group, places.topicToWrite(name).id, partition, owner)
    },

    /** @throws CHECKPOINT_FENCED, having written nothing. */
    move({ group, topic: name, partition, offset, owner }: Checkpoint): void {
      const topic = places.topicToWrite(name)
      const row = findPartition.get(group, topic.id, partition)
      if (owner !== undefined && row?.owner !== owner) throw fenced(group, name, partition)
      if (row === undefined) addPartition.run(group, topic.id, partition, offset)
      else if (Number(row.next_offset) < offset) setOffset.run(offset, group, topic.id, partition)
    },
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function fenced(group: string, topic: string, partition: number): DuologError {
  return new DuologError(
    'CHECKPOINT_FENCED',
    `Partition ${partition} of "${topic}" belongs to another member of the group "${group}" by now; nothing was written. ` +
      'The new owner gets the message again.',
  )
}
