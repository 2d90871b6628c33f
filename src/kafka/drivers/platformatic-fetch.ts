import { decodeFetchAnswer, type FetchAnswer, type FetchedBatches, toFetchedBatches } from './fetch-answer.ts'
import type { Connection, PlatformaticLibrary } from './platformatic-library.ts'

/*
 * Fetching with @platformatic/kafka's connections and requests, but our decoder: the library's makes every key, value
 * and header of every record, whether or not anybody looks at it. An error in the answer is left to the library's.
 */

export interface FetchRequest {
  readonly maxWaitMs: number
  readonly maxBytes: number
  readonly maxPartitionBytes: number
  readonly topics: readonly { topic: string; partitions: readonly { partition: number; offset: number }[] }[]
}

type Parse<T> = (correlationId: number, apiKey: number, apiVersion: number, reader: Reader) => T
type Reader = Parameters<PlatformaticLibrary['fetchV11']['parseResponse']>[3]

const READ_COMMITTED = 1
const NO_SESSION = 0
const NO_EPOCH = -1

/** @throws what the library throws for an answer with an error code. */
export async function fetchBatches(
  { fetchV11 }: PlatformaticLibrary,
  connection: Connection,
  { maxWaitMs, maxBytes, maxPartitionBytes, topics }: FetchRequest,
): Promise<readonly FetchedBatches[]> {
  const wanted = topics.map(({ topic, partitions }) => ({
    topicId: topic,
    partitions: partitions.map(({ partition, offset }) => ({
      partition,
      fetchOffset: BigInt(offset),
      partitionMaxBytes: maxPartitionBytes,
      currentLeaderEpoch: NO_EPOCH,
      lastFetchedEpoch: NO_EPOCH,
    })),
  }))
  const encode = () =>
    fetchV11.createRequest(maxWaitMs, 1, maxBytes, READ_COMMITTED, NO_SESSION, NO_EPOCH, wanted, [], '')
  const { key, version } = fetchV11.api
  const parse: Parse<FetchAnswer> = (correlationId, apiKey, apiVersion, reader) => {
    const answer = decodeFetchAnswer(reader.buffer.slice(reader.position), apiVersion)
    if (hasError(answer)) fetchV11.parseResponse(correlationId, apiKey, apiVersion, reader)
    return answer
  }
  const answer = await new Promise<FetchAnswer>((resolve, reject) => {
    connection.send(key, version, encode, parse, false, false, (error, answer) => {
      if (answer === undefined) reject(error)
      else resolve(answer)
    })
  })
  return toFetchedBatches(answer)
}

function hasError({ errorCode, responses }: FetchAnswer): boolean {
  return errorCode !== 0 || responses.some(({ partitions }) => partitions.some(({ errorCode }) => errorCode !== 0))
}
