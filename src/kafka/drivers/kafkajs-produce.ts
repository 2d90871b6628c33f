import { encodeBatch } from '../encode-batch.ts'
import type { LowBroker, LowCluster } from './kafkajs-internals.ts'
import { int16, int32, nullableText } from './wire.ts'

/*
 * kafkajs's produce request with a body of our own: its encoder makes a buffer of each field of each record and costs
 * more than all else an append does. Everything around the body stays kafkajs's: connection, queue, answer, errors.
 */

type ProduceRequest = Parameters<LowBroker['produce']>[0]

interface Call {
  readonly request: { readonly apiVersion: number; readonly encode: () => Promise<EncoderLike> }
}

/** What kafkajs takes for one of its encoders. */
interface EncoderLike {
  readonly buf: Buffer
  readonly buffer: Buffer
}

interface Pool {
  send(call: Call): Promise<unknown>
}

/** The body is the same in these versions. */
const OLDEST_VERSION = 3
const NEWEST_VERSION = 7

export function withFastProduce(cluster: LowCluster): LowCluster {
  const find = cluster.findBroker.bind(cluster)
  const fast = new WeakMap<LowBroker, LowBroker>()
  cluster.findBroker = async (options) => {
    const broker = await find(options)
    const known = fast.get(broker) ?? withOwnBody(broker)
    fast.set(broker, known)
    return known
  }
  return cluster
}

function withOwnBody(broker: LowBroker): LowBroker {
  const produce: LowBroker['produce'] = (request) => {
    const pool = (broker as LowBroker & { readonly connectionPool: Pool }).connectionPool
    const send = (call: Call) => pool.send(withBody(call, request))
    const connectionPool = Object.create(pool, { send: { value: send } })
    return broker.produce.call(Object.create(broker, { connectionPool: { value: connectionPool } }), request)
  }
  return Object.create(broker, { produce: { value: produce } })
}

function withBody(call: Call, produce: ProduceRequest): Call {
  const { apiVersion } = call.request
  if (apiVersion < OLDEST_VERSION || apiVersion > NEWEST_VERSION) return call
  const encode = async () => {
    const buffer = encodeProduce(produce)
    return { buf: buffer, buffer }
  }
  return { ...call, request: { ...call.request, encode } }
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
