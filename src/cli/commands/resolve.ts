import { type Command, Option } from 'commander'
import { KafkaAgentCoordinator } from '../../agents/kafka-agent-coordinator.ts'
import type { SessionView } from '../../agents/session/view.ts'
import { DuologError } from '../../core/errors.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printOutcome } from '../run-session.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

type Resolution = 'retry' | 'resume' | 'fail'
type ResolveFlags = LogFlags & { readonly [Name in Resolution]?: true }

const EXAMPLES = `
Examples:
  duolog resolve SESSION CALL --retry     make the call again
  duolog resolve SESSION CALL --resume    go on in the agent's own session, where it has one
  duolog resolve SESSION CALL --fail      count it as failed`

export function addResolveCommand(program: Command): void {
  const command = program
    .command('resolve')
    .description('decide on a call nobody knows the outcome of')
    .argument('<session>', SESSION_ID)
    .argument('<call>', "the call's id, from duolog show")
    .addOption(new Option('--retry', 'make it again').conflicts(['resume', 'fail']))
    .addOption(new Option('--resume', "go on in the agent's own session").conflicts('fail'))
    .addOption(new Option('--fail', 'count it as failed'))
  addLogFlags(command, 'the session')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string, call: string, flags: ResolveFlags) => {
      const resolution = resolutionOf(flags)
      await withLog(flags.log, async (store) => {
        const view = await new KafkaAgentCoordinator({ store }).resolve(
          await sessionNamed(store, session),
          call,
          resolution,
        )
        refuseUnresolved(view, call, resolution)
        await printOutcome(view, flags)
      })
    })
}

function resolutionOf({ retry, resume, fail }: ResolveFlags): Resolution {
  if (retry) return 'retry'
  if (resume) return 'resume'
  if (fail) return 'fail'
  throw new DuologError('INVALID_ARGUMENT', 'Say what is to become of the call: --retry, --resume or --fail.')
}

/** Resolving twice alike is one; what was never in doubt, or was resolved otherwise, is refused. */
function refuseUnresolved({ calls }: SessionView, callId: string, resolution: Resolution): void {
  const call = calls.find((candidate) => candidate.callId === callId)
  if (call?.resolution === resolution) return
  const known =
    call?.resolution === undefined ? `is ${call?.status}, not in doubt` : `was resolved before: ${call.resolution}`
  throw new DuologError('INVALID_ARGUMENT', `Call ${callId} ${known}. Nothing was changed.`)
}
