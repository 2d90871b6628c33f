#!/usr/bin/env node
import { reportFailure } from './failure.ts'
import { endQuietlyOnBrokenPipe } from './output.ts'
import { createProgram } from './program.ts'

const failureForm = { json: process.argv.includes('--json') }

async function main(): Promise<void> {
  try {
    await createProgram().parseAsync()
  } catch (error) {
    process.exitCode = await reportFailure(error, failureForm)
  }
  // An executor may keep timers and connections of its own; what had to be finished is.
  process.stdout.write('', () => process.exit())
}

/** From outside of any call, such as a timer in an executor module: the state is unknown, the log is whole. */
function endAfterUncaught(error: unknown): void {
  void reportFailure(error, failureForm).then((code) => process.exit(code))
}

endQuietlyOnBrokenPipe()
process.on('uncaughtException', endAfterUncaught)
void main()
