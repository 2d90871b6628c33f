import type { Command } from 'commander'
import type { AgentExecutor } from '../../agents/executor.ts'
import { newestUnended, readSession } from '../../agents/read-sessions.ts'
import { isEnded } from '../../agents/session/state.ts'
import type { SessionView } from '../../agents/session/view.ts'
import type { EventStore } from '../../store/event-store.ts'
import { addExecutorFlags, type ExecutorFlags, withExecutor } from '../executor-flags.ts'
import { EXIT_CODES_HELP, type ExitCode, exitCodeOf } from '../exit-codes.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { addPromptsFlag, type PromptsFlags, promptsFrom } from '../prompts-flag.ts'
import { printOutcome, runSession, withCoordinator } from '../run-session.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'
import { Stage } from '../stage.ts'
import { addWorkRootFlag, existingWorkDir, type WorkRootFlags, workRootOf } from '../work-dir.ts'

type ResumeFlags = LogFlags & ExecutorFlags & PromptsFlags & WorkRootFlags

const EXAMPLES = `
Its rules (gates, limits, policy in doubt) and its folder are those it was started with.

Examples:
  duolog resume --script agents.json
  duolog resume 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --executor ./agent.mjs`

export function addResumeCommand(program: Command): void {
  const command = program
    .command('resume')
    .description('go on with a session that was interrupted or whose process died')
    .argument('[session]', `${SESSION_ID} (default: the newest unfinished one)`)
  addLogFlags(
    addWorkRootFlag(addPromptsFlag(addExecutorFlags(command))),
    'the session, as duolog show --json prints it,',
  )
    .addHelpText('after', EXAMPLES + EXIT_CODES_HELP)
    .action(async (session: string | undefined, flags: ResumeFlags) => {
      process.exitCode = await resume(session, flags)
    })
}

function resume(session: string | undefined, flags: ResumeFlags): Promise<ExitCode> {
  const stage = new Stage()
  const goOn = async (store: EventStore) => {
    const sessionId = session === undefined ? await newestUnended(store) : await sessionNamed(store, session)
    const view = await readSession(store, sessionId)
    if (isEnded(view)) return showEnded(view, flags)
    if (view.dispatch === 'topics') return continueSession({ store, view, stage, flags })
    return withExecutor(flags, async (executor) => {
      await existingWorkDir(view.workDir)
      return continueSession({ store, view, stage, flags, executor })
    })
  }
  return withLog(flags.log, goOn, { logger: stage.logger })
}

interface Continued {
  readonly store: EventStore
  readonly view: SessionView
  readonly stage: Stage
  readonly flags: ResumeFlags
  readonly executor?: AgentExecutor
}

async function continueSession({ store, view, stage, flags, executor }: Continued): Promise<ExitCode> {
  const { logger, onProgress } = stage
  const { sessionId, version: knownVersion } = view
  const prompts = await promptsFrom(flags)
  return withCoordinator(
    { store, logger, onProgress, ...prompts, ...workRootOf(flags), ...(executor && { executor }) },
    (coordinator) => runSession({ store, coordinator, sessionId, stage, knownVersion, flags }),
  )
}

async function showEnded(view: SessionView, flags: ResumeFlags): Promise<ExitCode> {
  await printOutcome(view, flags)
  return exitCodeOf(view, false)
}
