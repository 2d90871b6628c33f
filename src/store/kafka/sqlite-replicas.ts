import type { Logger } from '../../core/logger.ts'
import { loadSqlite } from '../sqlite/open-database.ts'
import type { PartitionReplica } from './partition-replica.ts'
import { prepareFolder } from './replica-file.ts'
import { SqliteReplica } from './sqlite-replica.ts'
import type { StoreTopics } from './store-topics.ts'

export interface SqliteReplicasOptions {
  readonly directory: string
  readonly topics: StoreTopics
  readonly logger: Logger
}

/**
 * Replicas in files of a folder, one for each partition that is used.
 *
 * @throws REPLICA_UNAVAILABLE when the folder cannot be made, DEPENDENCY_MISSING without SQLite.
 */
export async function sqliteReplicas(options: SqliteReplicasOptions): Promise<(partition: number) => PartitionReplica> {
  const { directory, topics, logger } = options
  prepareFolder(directory)
  const sqlite = await loadSqlite()
  const log = { directory, topic: topics.names.eventTopic, partitionCount: topics.eventPartitions.length }
  return (partition) => new SqliteReplica({ sqlite, place: { ...log, partition }, logger })
}
