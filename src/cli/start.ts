import { EXIT } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { endQuietlyOnBrokenPipe } from './output.ts'
import { createProgram } from './program.ts'
import { hideSqliteWarning } from './quiet-warnings.ts'

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

/**
 * From outside of any call, such as a timer in an executor module: the state is unknown, the log is whole. Where not
 * even that can be said (a full disk behind stdout), silence.
 */
function endAfterUncaught(error: unknown): void {
  const end = () => process.exit(EXIT.failed)
  process.once('uncaughtException', end)
  reportFailure(error, failureForm).then(end, end)
}

/** The program, from its arguments to its exit code. */
export function start(): Promise<void> {
  endQuietlyOnBrokenPipe()
  hideSqliteWarning()
  process.once('uncaughtException', endAfterUncaught)
  return main()
}
