import { decompress } from '../decompress.ts'
import { decodeRecordBatches, type RecordBatch } from '../record-batches.ts'
import { WireReader } from './wire.ts'

/*
 * The answer to a fetch, from its bytes: for both drivers, whose libraries' decoders cost several times as much.
 */

export interface FetchedBatches {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly abortedTransactions: readonly AbortedTransaction[]
  readonly batches: readonly RecordBatch[]
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/** As kafkajs's own check of the answer's error codes wants it. */
export interface FetchAnswer {
  readonly clientSideThrottleTime: number
  readonly errorCode: number
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly PartitionAnswer[] }[]
}

type PartitionAnswer = Omit<FetchedBatches, 'topic'> & { readonly errorCode: number }

export function toFetchedBatches({ responses }: FetchAnswer): readonly FetchedBatches[] {
  return responses.flatMap(({ topicName, partitions }) =>
    partitions.map(({ errorCode: _none, ...fetched }) => ({ ...fetched, topic: topicName })),
  )
}

/** Versions 4 to 11 of the answer: the later ones say more between the fields we need. */
export function decodeFetchAnswer(payload: Buffer, version: number): FetchAnswer {
  const input = new WireReader(payload)
  const clientSideThrottleTime = input.int32()
  const errorCode = version >= 7 ? input.int16() : 0
  if (version >= 7) input.skip(4) // the fetch session's id, which is not used
  const responses = input.list(() => ({
    topicName: input.text(),
    partitions: input.list(() => partitionAnswer(input, version)),
  }))
  return { clientSideThrottleTime, errorCode, responses }
}

function partitionAnswer(input: WireReader, version: number): PartitionAnswer {
  const partition = input.int32()
  const errorCode = input.int16()
  const highWatermark = input.int64()
  const lastStableOffset = input.int64()
  if (version >= 5) input.skip(8) // where the log begins
  const abortedTransactions = input.list(() => ({ producerId: input.bigint(), firstOffset: input.int64() }))
  if (version >= 11) input.skip(4) // a nearer replica
  const batches = decodeRecordBatches(input.bytes(), decompress)
  return { partition, errorCode, highWatermark, lastStableOffset, abortedTransactions, batches }
}
