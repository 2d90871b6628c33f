import type { LowBroker } from './kafkajs-internals.ts'
import { type Call, encoded } from './kafkajs-own-requests.ts'
import { compactList, compactNull, compactText, int16, int32, int64, noTags, WireReader } from './wire.ts'

/*
 * D6 The requests of KIP-447, which kafkajs does not speak: offsets in a transaction that carry their member and its
 *    generation (TxnOffsetCommit 3), and offsets that are told only when no transaction moves them (OffsetFetch 7). Every
 *    broker since Kafka 2.5 answers them. What the answers' errors mean kafkajs knows.
 */

type Commit = Parameters<LowBroker['txnOffsetCommit']>[0]
type Fetch = Parameters<LowBroker['offsetFetch']>[0]

const TXN_OFFSET_COMMIT_VERSION = 3
const OFFSET_FETCH_VERSION = 7
const NO_EPOCH = -1
const STABLE = Buffer.from([1])

export function commitOfMember(call: Call, commit: Commit): Call {
  return another(call, TXN_OFFSET_COMMIT_VERSION, () => encodeCommit(commit), decodeCommitted)
}

export function stableOffsets(call: Call, fetch: Fetch): Call {
  return another(call, OFFSET_FETCH_VERSION, () => encodeFetch(fetch), decodeFetched)
}

function another(call: Call, apiVersion: number, body: () => Buffer, decode: (reader: WireReader) => unknown): Call {
  // From these versions on the headers of requests and answers end with tags, too.
  const encode = encoded(() => Buffer.concat([noTags, body(), noTags]))
  const decodeBody = async (bytes: Buffer) => {
    const reader = new WireReader(bytes)
    reader.skipTags()
    return decode(reader)
  }
  return {
    ...call,
    request: { ...call.request, apiVersion, encode },
    response: { ...call.response, decode: decodeBody },
  }
}

function encodeCommit({ transactionalId, groupId, topics, ...of }: Commit): Buffer {
  return Buffer.concat([
    compactText(transactionalId),
    compactText(groupId),
    int64(BigInt(of.producerId)),
    int16(of.producerEpoch),
    int32(of.generationId),
    compactText(of.memberId),
    compactNull, // no static member
    compactList(topics, ({ topic, partitions }) =>
      Buffer.concat([compactText(topic), compactList(partitions, encodePlace), noTags]),
    ),
  ])
}

function encodePlace({ partition, offset }: Commit['topics'][number]['partitions'][number]): Buffer {
  return Buffer.concat([int32(partition), int64(BigInt(offset)), int32(NO_EPOCH), compactText(''), noTags])
}

function decodeCommitted(reader: WireReader) {
  const clientSideThrottleTime = reader.int32()
  const topics = topicsOf(reader, () => ({ partition: reader.int32(), errorCode: reader.int16() }))
  return { clientSideThrottleTime, topics }
}

function encodeFetch({ groupId, topics }: Fetch): Buffer {
  const wanted = compactList(topics, ({ topic, partitions }) =>
    Buffer.concat([compactText(topic), compactList(partitions, ({ partition }) => int32(partition)), noTags]),
  )
  return Buffer.concat([compactText(groupId), wanted, STABLE])
}

function decodeFetched(reader: WireReader) {
  const clientSideThrottleTime = reader.int32()
  const responses = topicsOf(reader, () => {
    const partition = reader.int32()
    const offset = String(reader.int64())
    reader.int32() // the leader's epoch
    reader.compactText() // what the committer wrote beside it
    return { partition, offset, errorCode: reader.int16() }
  })
  return { clientSideThrottleTime, responses, errorCode: reader.int16() }
}

function topicsOf<P>(reader: WireReader, partitionOf: () => P): { topic: string; partitions: P[] }[] {
  return reader.compactList(() => {
    const topic = reader.compactText()
    const partitions = reader.compactList(() => {
      const partition = partitionOf()
      reader.skipTags()
      return partition
    })
    reader.skipTags()
    return { topic, partitions }
  })
}
