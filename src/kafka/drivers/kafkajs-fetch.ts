import { decompress } from '../decompress.ts'
import { decodeRecordBatches, type RecordBatch } from '../record-batches.ts'
import type { LowBroker } from './kafkajs-internals.ts'
import { WireReader } from './wire.ts'

/*
 * Fetching with kafkajs's connections and requests, but not its decoder: that copies the headers of a record once for
 * each header, which was nine tenths of the time of reading a log. Only the bytes of the answer are taken from it.
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

interface Exchange {
  readonly request: { readonly apiVersion: number }
  readonly response: { parse(data: Answer): Promise<unknown> }
}

/** As kafkajs's own check of the answer's error codes wants it. */
interface Answer {
  readonly clientSideThrottleTime: number
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly PartitionAnswer[] }[]
}

type PartitionAnswer = Omit<FetchedBatches, 'topic'> & { readonly errorCode: number }

interface Pool {
  send(exchange: unknown): Promise<Answer>
  destroy(): Promise<void>
}

type BrokerWithPool = LowBroker & { connectionPool: Pool }

/** @throws what kafkajs throws for an answer with an error code. */
export async function fetchBatches(
  broker: LowBroker,
  request: Parameters<LowBroker['fetch']>[0],
): Promise<readonly FetchedBatches[]> {
  const { responses } = await withOwnDecoder(broker).fetch(request)
  return responses.flatMap(({ topicName, partitions }) =>
    partitions.map(({ errorCode: _none, ...fetched }) => ({ ...fetched, topic: topicName })),
  )
}

interface OwnDecoder {
  fetch(request: Parameters<LowBroker['fetch']>[0]): Promise<Answer>
}

const decoders = new WeakMap<LowBroker, OwnDecoder>()

/** The same broker, but for how its answers are decoded. */
function withOwnDecoder(broker: LowBroker): OwnDecoder {
  const known = decoders.get(broker)
  if (known !== undefined) return known
  const pool = (broker as BrokerWithPool).connectionPool
  const connectionPool: Pool = {
    send: ({ request, response }: Exchange) => {
      const decode = async (payload: Buffer) => decodeAnswer(payload, request.apiVersion)
      return pool.send({ request, response: { decode, parse: (data: Answer) => response.parse(data) } })
    },
    destroy: () => pool.destroy(),
  }
  const wrapped: OwnDecoder = Object.create(broker, { connectionPool: { value: connectionPool } })
  decoders.set(broker, wrapped)
  return wrapped
}

/** Versions 4 to 11 of the answer: the later ones say more between the fields we need. */
function decodeAnswer(payload: Buffer, version: number): Answer {
  const input = new WireReader(payload)
  const clientSideThrottleTime = input.int32()
  if (version >= 7) input.skip(6) // error code and id of the fetch session, which is not used
  const responses = input.list(() => ({
    topicName: input.text(),
    partitions: input.list(() => partitionAnswer(input, version)),
  }))
  return { clientSideThrottleTime, responses }
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
