import { randomUUID } from 'node:crypto'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import { eventOf } from './load.ts'
import { openWith } from './open.ts'

/* One of several processes that append to one partition at full speed. Says how many appends were acknowledged in its time. */

export interface SharingTask {
  readonly brokers: readonly string[]
  readonly driver: KafkaDriverName
  readonly prefix: string
  readonly forMs: number
  readonly callers: number
}

async function main({ brokers, driver, prefix, forMs, callers }: SharingTask): Promise<void> {
  const store = await openWith(brokers, 1, { prefix, driver })
  const name = randomUUID()
  await store.appendToStream(name, [eventOf(300)])
  process.send?.('ready')
  await new Promise((resolve) => void process.once('message', resolve))
  const end = performance.now() + forMs
  let acknowledged = 0
  const call = async (caller: number) => {
    while (performance.now() < end) {
      await store.appendToStream(`${name}-${caller}`, [eventOf(300)])
      if (performance.now() < end) acknowledged++
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
  await store.close()
  process.send?.(acknowledged, () => process.disconnect())
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]))
