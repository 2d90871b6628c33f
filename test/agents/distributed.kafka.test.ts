import { vi } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { LONG, sharedSessions } from './distributed-run.ts'
import { servicesSuite } from './distributed-suite.ts'

/* As distributed.process.test.ts, on a real broker. A dead process is known by its silence here. */

/** Many processes, on cores that may be busy. */
vi.setConfig({ testTimeout: LONG ? 900_000 : 240_000, hookTimeout: 120_000 })

const urlOf = (label: string) => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix(label)}`

describeKafka('on Kafka', () => {
  sharedSessions('kafka', {
    sessions: LONG ? 100 : 20,
    openLog: () => urlOf('distributed'),
    patienceMs: LONG ? 600_000 : 90_000,
  })
  servicesSuite('kafka', () => `${urlOf('services')}&leaseMs=3000`)
})
