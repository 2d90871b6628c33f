import type { Command } from 'commander'
import { KafkaAgentCoordinator } from '../../agents/kafka-agent-coordinator.ts'
import type { SessionView } from '../../agents/session/view.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printOutcome } from '../run-session.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

type CancelFlags = LogFlags & { readonly reason?: string }

const EXAMPLES = `
Whoever runs the session stops at once, with everything it has started.

Examples:
  duolog cancel 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11
  duolog cancel 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --reason "wrong branch"`

export function addCancelCommand(program: Command): void {
  const command = program
    .command('cancel')
    .description('end a session for good; exits 1 when it had ended otherwise before')
    .argument('<session>', SESSION_ID)
    .option('--reason <text>', 'is recorded')
  addLogFlags(command, 'the session')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string, flags: CancelFlags) => {
      process.exitCode = await withLog(flags.log, async (store) => {
        const view = await new KafkaAgentCoordinator({ store }).cancel(await sessionNamed(store, session), flags.reason)
        await printOutcome(view, flags)
        return exitCode(view)
      })
    })
}

function exitCode({ status }: SessionView): ExitCode {
  return status === 'cancelled' ? EXIT.completed : EXIT.failed
}
