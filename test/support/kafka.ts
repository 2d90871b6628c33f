import { describe, inject } from 'vitest'
import { javaAnswers } from './broker-libraries.ts'
import type {} from './broker-setup.ts'

/** host:port of the run's broker; empty when there is none (the tests are then skipped, loudly). */
export const kafkaBrokers: string = inject('kafkaBrokers') ?? ''

/** `describe` for what needs a real broker. */
export const describeKafka = describe.skipIf(kafkaBrokers === '')

const required = process.env.CI === 'true' || process.env.CI === '1'
const java = required || (await javaAnswers())
if (!java) process.stderr.write('\n!! Tests that start their own brokers are SKIPPED: no java on the PATH.\n\n')

/** `describe` for what starts brokers of its own, to kill them; under CI=true they have to start. */
export const describeNative = describe.skipIf(!java)

let names = 0

/** A topic prefix no other test of this run (or of another run on the same broker) uses. */
export function uniquePrefix(label = 'test'): string {
  return `${label}-${process.pid}-${Date.now().toString(36)}-${names++}.`
}
