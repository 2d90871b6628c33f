import type { LowBroker, LowCluster } from './kafkajs-internals.ts'

/*
 * kafkajs's requests with bodies, of versions, or with decoders of our own. Everything around them stays kafkajs's:
 * connection, queue, what an error is called.
 */

/** What kafkajs takes for one of its encoders. */
interface EncoderLike {
  readonly buf: Buffer
  readonly buffer: Buffer
}

export interface Call {
  readonly request: { readonly apiVersion: number; readonly encode: () => Promise<EncoderLike> }
  readonly response: { readonly decode: (bytes: Buffer) => Promise<unknown> }
}

interface Pool {
  send(call: Call): Promise<unknown>
}

/** Of each method that is replaced: how its call is made another. */
export type OwnCalls = {
  readonly [M in keyof LowBroker]?: (call: Call, request: Parameters<LowBroker[M]>[0]) => Call
}

export function encoded(body: () => Buffer): Call['request']['encode'] {
  return async () => {
    const buffer = body()
    return { buf: buffer, buffer }
  }
}

/** Of this cluster only: a program's own clients stay as they are. */
export function withOwnRequests(cluster: LowCluster, own: OwnCalls): LowCluster {
  const find = cluster.findBroker.bind(cluster)
  const known = new WeakMap<LowBroker, LowBroker>()
  cluster.findBroker = async (options) => {
    const broker = await find(options)
    const changed = known.get(broker) ?? withCalls(broker, own)
    known.set(broker, changed)
    return changed
  }
  return cluster
}

type Method = (request: never) => Promise<unknown>
type Change = (call: Call, request: never) => Call

function withCalls(broker: LowBroker, own: OwnCalls): LowBroker {
  const methods = Object.entries(own).map(([name, change]) => {
    const value = changed(broker, broker[name as keyof LowBroker] as Method, change as Change)
    return [name, { value }] as const
  })
  return Object.create(broker, Object.fromEntries(methods))
}

function changed(broker: LowBroker, method: Method, change: Change): Method {
  return (request) => {
    const pool = (broker as LowBroker & { readonly connectionPool: Pool }).connectionPool
    const send = (call: Call) => pool.send(change(call, request))
    const connectionPool = Object.create(pool, { send: { value: send } })
    return method.call(Object.create(broker, { connectionPool: { value: connectionPool } }), request)
  }
}
