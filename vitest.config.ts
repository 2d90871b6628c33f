import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

/**
 * Four projects, told apart by folder. A new test file needs no line here.
 *
 * - kafka: needs a broker; one worker, one broker, started by test/support/broker-setup.ts.
 * - processes: starts, kills and compiles real programs; a few at a time.
 * - unit: everything else; fast, no network, no sleeping.
 */
const kafka = ['test/kafka/**/*.test.ts', 'test/store/kafka/**/*.test.ts', 'test/**/*.kafka.test.ts']
const processes = ['test/{chaos,checks,cli,docs,examples,packaging}/**/*.test.ts', 'test/**/*.process.test.ts']

const brokerSetup = 'test/support/broker-setup.ts'

export default defineConfig({
  test: {
    reporters: ['default', './scripts/plain-summary-reporter.ts'],
    passWithNoTests: true,
    // Tests make things go wrong by the hundred; DUOLOG_WARNINGS=1 shows what is said of it where no logger was given.
    onConsoleLog: (log) => process.env.DUOLOG_WARNINGS === '1' || !/^duolog: (?:warning|error): /.test(log),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...kafka, ...processes],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'processes',
          include: processes,
          exclude: kafka,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
        },
      },
      {
        test: {
          name: 'kafka',
          include: kafka,
          globalSetup: existsSync(brokerSetup) ? [brokerSetup] : [],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
