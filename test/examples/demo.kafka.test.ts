import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { demoFolder, expectAsPromised, npmRunDemo } from './run-demo.ts'

describeKafka('npm run demo -- --log kafka://…', () => {
  it('keeps on Kafka what it promises: one revision, one kill, one call in doubt, nothing done twice', async () => {
    const folder = demoFolder()
    try {
      const log = `kafka://${kafkaBrokers}?prefix=${uniquePrefix('demo')}`
      const run = npmRunDemo(folder, '--json', '--log', log)
      expect(run.stderr).toContain(log)
      await expectAsPromised(folder, run)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
