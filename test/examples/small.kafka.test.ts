import { it } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { exampleNames, runExample } from './small-examples.ts'

describeKafka('on a broker', () => {
  it.each(exampleNames)('example %s says the same', (name) => {
    runExample(name, `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('example')}`)
  })
})
