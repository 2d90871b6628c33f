import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { curedConnections } from '../../src/kafka/drivers/kafkajs-connections.ts'
import type { LowCluster, LowConnection } from '../../src/kafka/drivers/kafkajs-internals.ts'

/* Cures that need no broker to be seen. */

const require = createRequire(import.meta.url)
const Connection = require('kafkajs/src/network/connection') as new (options: object) => LowConnection
const socketFactory = require('kafkajs/src/network/socketFactory') as () => unknown

async function portOfNobody(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

it('C4 a socket that is gone gets no more listeners, however often its connection is closed', async () => {
  const silent = () => {}
  const logger = { namespace: () => ({ debug: silent, error: silent }) }
  const place = { host: '127.0.0.1', port: await portOfNobody() }
  const timeouts = { connectionTimeout: 1_000, requestTimeout: 1_000 }
  const connection = new Connection({ ...place, ...timeouts, logger, socketFactory: socketFactory() })
  const brokerPool = { createSeedBroker: async () => {}, seedBroker: { connectionPool: { pool: [connection] } } }
  await curedConnections({ brokerPool } as unknown as LowCluster).brokerPool.createSeedBroker()
  const connecting = connection.connect()
  const socket = connection.socket as Socket
  await expect(connecting).rejects.toThrow('ECONNREFUSED')
  const before = socket.listenerCount('connect')
  for (let n = 0; n < 12; n++) await connection.disconnect()
  expect(socket.listenerCount('connect')).toBe(before)
})
