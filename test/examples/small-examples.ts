import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'

/** What each small example says, on any log. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  '01-order-fulfilment': [
    'order-1 completed: OrderPlaced → StockReserved → PaymentTaken → OrderShipped',
    'order-2 compensated: OrderPlaced → StockReserved → PaymentRefunded → StockReleased',
  ],
  '02-live-view': [
    'version 1 {"balance":70}',
    'while it is built, ada has 70',
    'rebuilt {"balance":70,"turnover":130}',
    'version 2 {"balance":75,"turnover":135}',
  ],
  '03-dead-letters': [
    'mailed: ada@example.org, bob@example.org',
    'put aside after 3 attempts: "nobody" is no address',
    'redriven: 1; mailed at last: nobody',
  ],
}

export const exampleNames = Object.keys(EXAMPLES)

/** Runs an example as a person would, a process on the built package. */
export function runExample(name: string, url: string, flags: readonly string[] = ['--log']): void {
  const args = [`examples/${name}/main.ts`, ...flags, url]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  expect(stdout.trimEnd().split('\n'), stderr).toEqual(EXAMPLES[name])
}
