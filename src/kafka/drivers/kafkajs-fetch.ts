import { decodeFetchAnswer, type FetchAnswer, type FetchedBatches, toFetchedBatches } from './fetch-answer.ts'
import type { LowBroker } from './kafkajs-internals.ts'

/*
 * Fetching with kafkajs's connections and requests, but not its decoder: that copies the headers of a record once for
 * each header, which was nine tenths of the time of reading a log. Only the bytes of the answer are taken from it.
 */

interface Exchange {
  readonly request: { readonly apiVersion: number }
  readonly response: { parse(data: FetchAnswer): Promise<unknown> }
}

interface Pool {
  send(exchange: unknown): Promise<FetchAnswer>
  destroy(): Promise<void>
}

type BrokerWithPool = LowBroker & { connectionPool: Pool }

/** @throws what kafkajs throws for an answer with an error code. */
export async function fetchBatches(
  broker: LowBroker,
  request: Parameters<LowBroker['fetch']>[0],
): Promise<readonly FetchedBatches[]> {
  return toFetchedBatches(await withOwnDecoder(broker).fetch(request))
}

interface OwnDecoder {
  fetch(request: Parameters<LowBroker['fetch']>[0]): Promise<FetchAnswer>
}

const decoders = new WeakMap<LowBroker, OwnDecoder>()

/** The same broker, but for how its answers are decoded. */
function withOwnDecoder(broker: LowBroker): OwnDecoder {
  const known = decoders.get(broker)
  if (known !== undefined) return known
  const pool = (broker as BrokerWithPool).connectionPool
  const connectionPool: Pool = {
    send: ({ request, response }: Exchange) => {
      const decode = async (payload: Buffer) => decodeFetchAnswer(payload, request.apiVersion)
      return pool.send({ request, response: { decode, parse: (data: FetchAnswer) => response.parse(data) } })
    },
    destroy: () => pool.destroy(),
  }
  const wrapped: OwnDecoder = Object.create(broker, { connectionPool: { value: connectionPool } })
  decoders.set(broker, wrapped)
  return wrapped
}
