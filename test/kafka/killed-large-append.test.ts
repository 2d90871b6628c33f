import { beforeEach } from 'vitest'
import { killedLargeAppendSuite } from '../store/killed-large-append-suite.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

/** A blob of three chunks. */
const SIZE = 1_300_000

describeKafka('a large event in topics', () => {
  let prefix: string
  beforeEach(() => {
    prefix = uniquePrefix('large-killed')
  })

  killedLargeAppendSuite({
    points: [
      { point: 'kafka.blob.chunk', time: 1, survives: false },
      { point: 'kafka.blob.chunk', time: 3, survives: false },
      { point: 'kafka.writer.produced', time: 1, survives: false },
      { point: 'kafka.writer.committed', time: 1, survives: true },
    ],
    size: SIZE,
    url: () => `kafka://${kafkaBrokers}/?prefix=${prefix}`,
  })
})
