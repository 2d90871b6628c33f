import { describe, inject } from 'vitest'
import type {} from './broker-setup.ts'

/** host:port of the run's broker; empty when there is none (the tests are then skipped, loudly). */
export const kafkaBrokers: string = inject('kafkaBrokers') ?? ''

/** `describe` for what needs a real broker. */
export const describeKafka = describe.skipIf(kafkaBrokers === '')

let names = 0

/** A topic prefix no other test of this run (or of another run on the same broker) uses. */
export function uniquePrefix(label = 'test'): string {
  return `${label}-${process.pid}-${Date.now().toString(36)}-${names++}.`
}
