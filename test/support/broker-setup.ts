import type { TestProject } from 'vitest/node'
import { startBrokerOrSkip } from './broker.ts'

/** vitest's globalSetup: one broker for all Kafka tests of a run. Tests get its address from `kafka.ts`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const broker = await startBrokerOrSkip()
  project.provide('kafkaBrokers', broker?.address ?? '')
  return async () => broker?.stop()
}

declare module 'vitest' {
  interface ProvidedContext {
    kafkaBrokers: string
  }
}
