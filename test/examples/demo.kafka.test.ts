import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { demoFolder, expectAsPromised, npmRunDemo } from './run-demo.ts'

describeKafka('npm run demo -- --log kafka://…', () => {
  const started = { choreography: /coordinator .*, manager .*, worker /, orchestration: /started +orchestrator [^,]*;/ }

  it.each(['choreography', 'orchestration'] as const)(
    'keeps on Kafka what it promises, by %s: one revision, one kill, one call in doubt, nothing done twice',
    async (style) => {
      const folder = demoFolder()
      try {
        const log = `kafka://${kafkaBrokers}?prefix=${uniquePrefix('demo')}`
        const run = npmRunDemo(folder, '--json', '--log', log, '--style', style)
        expect(run.stderr).toContain(log)
        expect(run.stderr).toMatch(started[style])
        await expectAsPromised(folder, run)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  )
})
