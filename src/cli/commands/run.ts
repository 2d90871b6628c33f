import { type Command, Option } from 'commander'
import type { AgentExecutor } from '../../agents/executor.ts'
import { DuologError } from '../../core/errors.ts'
import type { EventStore } from '../../store/event-store.ts'
import { addExecutorFlags, type ExecutorFlags, withExecutor } from '../executor-flags.ts'
import { EXIT_CODES_HELP, type ExitCode } from '../exit-codes.ts'
import { amount, wholeNumber } from '../flag-values.ts'
import { roleLimits } from '../limit-flags.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { addPromptsFlag, type PromptsFlags, promptsFrom } from '../prompts-flag.ts'
import { runSession, withCoordinator } from '../run-session.ts'
import { collect, collectGate, doubtPolicy, perCallUsd, type SettingsFlags, settingsFrom } from '../settings-flags.ts'
import { Stage } from '../stage.ts'
import { addWorkRootFlag, existingWorkDir, type WorkRootFlags, workRootOf } from '../work-dir.ts'

type RunFlags = LogFlags &
  ExecutorFlags &
  SettingsFlags &
  PromptsFlags &
  WorkRootFlags & { readonly workdir: string; readonly session?: string }

const EXAMPLES = `
Examples:
  duolog run "Bring the project to green" --script agents.json
  duolog run "Fix issue 12" --executor ./agent.mjs --workdir ../app --gate 'tests=npm test'
  duolog run "Fix issue 12" --command 'my-agent --json' --max-concurrent 1 --in-doubt ask
  duolog run "Fix issue 12" --command 'my-agent --json' --prompts ./prompts.mjs
  duolog run "Fix issue 12" --log kafka://localhost:9092 --dispatch topics`

const SERVICES_NEEDED =
  'The work is for services on the same log: duolog manager, duolog worker and, for gates and crashes, duolog coordinator.'

export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .description('start a session and run it to its end')
    .argument('<task>', 'what is to be done, in words')
  addLogFlags(
    addWorkRootFlag(addPromptsFlag(addExecutorFlags(command))),
    'the session, as duolog show --json prints it,',
  )
  addSettingsFlags(command)
    .addHelpText('after', EXAMPLES + EXIT_CODES_HELP)
    .action(async (task: string, flags: RunFlags) => {
      process.exitCode = await run(task, flags)
    })
}

function addSettingsFlags(command: Command): Command {
  return addPersonFlags(addBudgetFlags(addFlowFlags(command)))
}

function addFlowFlags(command: Command): Command {
  return command
    .option('--workdir <folder>', 'where the Worker works; must exist', '.')
    .option('--session <id>', 'id of the new session (default: a new UUID)')
    .option(
      '--gate <command>',
      'must exit 0 for a result to be accepted; repeatable; NAME=COMMAND names it',
      collectGate,
    )
    .option('--max-concurrent <n>', 'work items at one time (default: 2)', wholeNumber(1))
    .option('--max-revisions <n>', 'times a rejected item goes back before it has failed (default: 2)', wholeNumber(0))
    .option('--call-timeout <seconds>', 'limit of each call (default: 180, reviews 120)', wholeNumber(1))
    .option(
      '--stalled-after <seconds>',
      'a call that is silent for so long is shown as stalled (default: 60)',
      wholeNumber(1),
    )
    .addOption(choice('--on-stalled <do>', 'with a stalled call (default: wait)', ['wait', 'abort']))
    .option('--allow-tool <tool>', "a tool the Worker may use, in its executor's words; repeatable", collect)
    .option(
      '--in-doubt <policy>',
      'after a crash, a call nobody knows the outcome of: retry (default), resume or ask; or by purpose, work=ask,plan=retry',
      doubtPolicy,
    )
    .addOption(
      choice('--dispatch <how>', 'who makes the calls: this process, or services (default: local)', [
        'local',
        'topics',
      ]),
    )
}

function addBudgetFlags(command: Command): Command {
  return command
    .option('--budget-usd <amount>', 'most the session may cost; then it waits', amount)
    .option('--budget-calls <n>', 'most calls of Manager and Worker', wholeNumber(1))
    .option('--budget-tokens <n>', 'most tokens', wholeNumber(1))
    .option('--budget-turns <n>', 'most rounds of the model', wholeNumber(1))
    .option('--budget-minutes <n>', 'no call begins later than this after the start', wholeNumber(1))
    .option(
      '--manager-budget <limits>',
      'limits of the Manager: usd=3,calls=20,tokens=9000,turns=90,minutes=40',
      roleLimits,
    )
    .option('--worker-budget <limits>', 'limits of the Worker, written the same', roleLimits)
    .option('--per-call-usd <amount>', 'what one call holds and may cost; or by purpose, work=3,review=0.5', perCallUsd)
    .option('--budget-pool <pool>', 'a budget shared with other sessions: duolog budget pool')
}

function addPersonFlags(command: Command): Command {
  return command
    .option('--approve <what...>', 'a person approves first: plan, items, completion, or ids of work items')
    .option('--approve-above <amount>', 'a person approves once before the session costs more, in USD', amount)
    .option('--approve-tool <tool>', 'a person approves an allowed tool first; repeatable', collect)
    .option('--approval-timeout <minutes>', 'how long a person may take (default: for ever)', wholeNumber(1))
    .addOption(
      choice('--on-approval-timeout <what>', 'what happens then (default: deny)', ['deny', 'approve', 'escalate']),
    )
    .addOption(choice('--when-rejected <what>', 'after the last revision (default: fail)', ['fail', 'ask']))
}

function choice(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, description).choices(choices)
}

function run(task: string, flags: RunFlags): Promise<ExitCode> {
  if (flags.dispatch !== 'topics') return withExecutor(flags, (executor) => start(task, flags, executor))
  if (flags.executor ?? flags.script ?? flags.command ?? flags.replay) {
    throw new DuologError(
      'INVALID_ARGUMENT',
      'With --dispatch topics the executor belongs to the services: duolog manager and duolog worker take it.',
    )
  }
  return start(task, flags)
}

async function start(task: string, flags: RunFlags, executor?: AgentExecutor): Promise<ExitCode> {
  const workDir = await existingWorkDir(flags.workdir)
  const prompts = await promptsFrom(flags)
  const stage = new Stage()
  const { logger, onProgress } = stage
  const begin = (store: EventStore) =>
    withCoordinator(
      { store, logger, onProgress, ...prompts, ...workRootOf(flags), ...(executor && { executor }) },
      async (coordinator) => {
        const options = { workDir, settings: settingsFrom(flags), ...(flags.session && { sessionId: flags.session }) }
        const sessionId = await coordinator.create(task, options)
        if (flags.dispatch === 'topics') stage.screen.print(SERVICES_NEEDED)
        return runSession({ store, coordinator, sessionId, stage, knownVersion: 0, flags })
      },
    )
  return withLog(flags.log, begin, { logger, create: true })
}
