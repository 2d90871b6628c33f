/*
 * The command: `npm run demo`. What it does is in demo.ts, what it shows in screen.ts.
 */
import { isDuologError } from 'duolog'
import { DemoStopped, demo, Interrupted, OutOfMoney } from './demo.ts'
import { HELP, logUrl, type Options, readOptions } from './options.ts'
import { goOnLines, raiseLines } from './report.ts'
import { Screen } from './screen.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const read = readOptions(args)
  if (read.kind === 'options') return read.options.ownBroker ? onOwnBroker(read.options) : show(read.options)
  if (read.kind === 'help') console.log(HELP)
  else console.error(`${read.problem}\n\n${HELP}`)
  return read.kind === 'help' ? 0 : 2
}

/** For those who have no Kafka at hand: the broker our own tests run on. It ends with the demo. */
async function onOwnBroker(options: Options): Promise<number> {
  const { startBroker } = await import('../../test/support/broker.ts')
  console.error('Starting a Kafka broker for this run …')
  const broker = await startBroker()
  try {
    return await show({ ...options, log: logUrl(`kafka://${broker.address}`) })
  } finally {
    await broker.stop()
  }
}

async function show(options: Options): Promise<number> {
  const screen = new Screen(options)
  try {
    const summary = await demo(options, screen)
    screen.end(summary)
    return summary.problems.length === 0 ? 0 : 1
  } catch (error) {
    screen.stop()
    console.error(['', ...explain(error, options)].join('\n'))
    if (error instanceof OutOfMoney) return 3
    return error instanceof Interrupted ? 130 : 1
  }
}

function explain(error: unknown, options: Options): unknown[] {
  if (error instanceof OutOfMoney) return [error.message, ...raiseLines(options, error.enoughUsd)]
  if (error instanceof DemoStopped) return [error.message, ...goOnLines(options)]
  return isDuologError(error) ? [error.message] : [error instanceof Error ? error.stack : error]
}
