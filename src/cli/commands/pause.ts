import type { Command } from 'commander'
import { KafkaAgentCoordinator } from '../../agents/kafka-agent-coordinator.ts'
import type { SessionView } from '../../agents/session/view.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printOutcome } from '../run-session.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

type PauseFlags = LogFlags & { readonly reason?: string; readonly stopCalls?: true }

const EXAMPLES = `
Calls that run finish, since they are paid for; no new one begins. With --stop-calls whoever runs them stops them at once, with
everything they have started. duolog resume goes on.

Examples:
  duolog pause 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11
  duolog pause 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --stop-calls --reason "wrong branch"`

export function addPauseCommand(program: Command): void {
  const command = program
    .command('pause')
    .description('hold a session; exits 1 when it had ended before')
    .argument('<session>', SESSION_ID)
    .option('--reason <text>', 'is recorded')
    .option('--stop-calls', 'stop what runs, too')
  addLogFlags(command, 'the session')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string, flags: PauseFlags) => {
      process.exitCode = await withLog(flags.log, async (store) => {
        const options = { ...(flags.stopCalls && { stopCalls: true }) }
        const view = await new KafkaAgentCoordinator({ store }).pause(
          await sessionNamed(store, session),
          flags.reason,
          options,
        )
        await printOutcome(view, flags)
        return exitCode(view)
      })
    })
}

function exitCode({ status }: SessionView): ExitCode {
  return status === 'paused' ? EXIT.completed : EXIT.failed
}
