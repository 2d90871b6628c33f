import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import type { ForkChanges, Forked } from '../../agents/fork-session.ts'
import { KafkaAgentCoordinator } from '../../agents/kafka-agent-coordinator.ts'
import { readPlan } from '../../agents/structured-output.ts'
import { DuologError } from '../../core/errors.ts'
import { wholeNumber } from '../flag-values.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { resumeCommand } from '../next-command.ts'
import { printJson, printLines } from '../output.ts'
import { addPromptsFlag, type PromptsFlags, promptsFrom } from '../prompts-flag.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'
import { addWorkRootFlag, existingWorkDir, type WorkRootFlags, workRootOf } from '../work-dir.ts'

interface ForkFlags extends LogFlags, PromptsFlags, WorkRootFlags {
  readonly at?: number
  readonly set?: Readonly<Record<string, unknown>>
  readonly plan?: string
  readonly workdir?: string
  readonly session?: string
}

const EXAMPLES = `
The history stays where it is: nothing that was paid for is paid again. The files in the folder are as they are now, not as
they were then; give the fork a copy of its own with --workdir where that matters.

Examples:
  duolog fork SESSION --at 12 --set models.worker=another-model
  duolog fork SESSION --at 12 --plan plan.json --workdir ../app-2
  duolog fork SESSION --set 'task="Only the tests"' --set maxRevisions=4
  duolog diff SESSION FORK`

export function addForkCommand(program: Command): void {
  const command = program
    .command('fork')
    .description('begin a new session that goes on from an event of another one')
    .argument('<session>', `the session whose history is taken over: ${SESSION_ID}`)
    .option(
      '--at <version>',
      'its last event to take over (default: all; of an ended session, one before its end)',
      wholeNumber(1),
    )
    .option(
      '--set <name=value>',
      'task, or a setting by its path; a JSON value or plain text; null is its default again; repeatable',
      collectSetting,
    )
    .option('--plan <file>', 'JSON with workItems; replaces what is not accepted yet')
    .option('--workdir <folder>', 'where the Worker of the fork works; must exist (default: the same)')
    .option('--session <id>', 'id of the new session (default: a new UUID)')
  addLogFlags(addWorkRootFlag(addPromptsFlag(command)), '{ sessionId, from, atVersion }')
    .addHelpText('after', EXAMPLES)
    .action((session: string, flags: ForkFlags) => fork(session, flags))
}

/** `models.worker=a-model`, `maxRevisions=4`, `task="…"`. */
export function collectSetting(text: string, before: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const [, name, value] = /^([\w.-]+)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be NAME=VALUE.')
  return { ...before, [name]: jsonOrText(value) }
}

function jsonOrText(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

async function fork(from: string, flags: ForkFlags): Promise<void> {
  const changes = await changesFrom(flags)
  const prompts = await promptsFrom(flags)
  const { at, session, log, json } = flags
  await withLog(log, async (store) => {
    const options = { ...changes, ...(at !== undefined && { at }), ...(session && { sessionId: session }) }
    const coordinator = new KafkaAgentCoordinator({ store, ...prompts, ...workRootOf(flags) })
    try {
      const forked = await coordinator.fork(await sessionNamed(store, from), options)
      await (json ? printJson(forked) : printLines(forkedLines(forked, flags)))
    } finally {
      await coordinator.close()
    }
  })
}

function forkedLines({ sessionId, from, atVersion }: Forked, flags: ForkFlags): string[] {
  const through = flags.at !== undefined && flags.at !== atVersion ? ` (the step that event ${flags.at} lies in)` : ''
  return [
    `Session ${sessionId} goes on from ${from} after event ${atVersion}${through}.`,
    `Run it with: ${resumeCommand(sessionId, flags)}`,
  ]
}

async function changesFrom({ set = {}, plan, workdir }: ForkFlags): Promise<ForkChanges> {
  const { task, ...settings } = set
  if (task !== undefined && typeof task !== 'string') {
    throw new DuologError('INVALID_ARGUMENT', 'task: must be text. Write: --set \'task="…"\'')
  }
  return {
    settings,
    ...(task !== undefined && { task }),
    ...(workdir !== undefined && { workDir: await existingWorkDir(workdir) }),
    ...(plan !== undefined && { workItems: workItemsIn(plan) }),
  }
}

function workItemsIn(path: string) {
  const parsed = readPlan({ output: textOf(path) })
  if (parsed.ok) return parsed.plan.workItems
  throw new DuologError('INVALID_ARGUMENT', `${path}: ${parsed.errors.join('; ')}`)
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new DuologError('INVALID_ARGUMENT', `--plan: ${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
