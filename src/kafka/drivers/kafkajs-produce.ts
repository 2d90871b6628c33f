import { encodeBatch } from '../encode-batch.ts'
import type { LowBroker } from './kafkajs-internals.ts'
import { type Call, encoded } from './kafkajs-own-requests.ts'
import { int16, int32, nullableText } from './wire.ts'

/*
 * The body of a produce request: kafkajs's encoder makes a buffer of each field of each record and costs more than all else
 * an append does.
 */

type ProduceRequest = Parameters<LowBroker['produce']>[0]

/** The body is the same in these versions. */
const OLDEST_VERSION = 3
const NEWEST_VERSION = 7

export function fastProduce(call: Call, produce: ProduceRequest): Call {
  const { apiVersion } = call.request
  if (apiVersion < OLDEST_VERSION || apiVersion > NEWEST_VERSION) return call
  return { ...call, request: { ...call.request, encode: encoded(() => encodeProduce(produce)) } }
}

function encodeProduce({ transactionalId, acks, timeout, topicData, ...producer }: ProduceRequest): Buffer {
  const parts = [nullableText(transactionalId), int16(acks), int32(timeout), int32(topicData.length)]
  for (const { topic, partitions } of topicData) {
    parts.push(nullableText(topic), int32(partitions.length))
    for (const { partition, firstSequence = 0, messages } of partitions) {
      const batch = encodeBatch(messages, {
        producerId: BigInt(producer.producerId ?? -1),
        producerEpoch: producer.producerEpoch ?? 0,
        firstSequence,
        transactional: transactionalId !== undefined,
        timestampMs: Date.now(),
      })
      parts.push(int32(partition), int32(batch.length), batch)
    }
  }
  return Buffer.concat(parts)
}
