import type { Command } from 'commander'
import type { KafkaAgentCoordinatorOptions } from '../../agents/coordinator-options.ts'
import type { AgentExecutor, AgentRole } from '../../agents/executor.ts'
import { newOwner } from '../../agents/names.ts'
import { addExecutorFlags, type ExecutorFlags, withExecutor } from '../executor-flags.ts'
import { wholeNumber } from '../flag-values.ts'
import { onInterrupt } from '../interrupt.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { addPromptsFlag, type PromptsFlags, promptsFrom } from '../prompts-flag.ts'
import { withCoordinator } from '../run-session.ts'
import { Stage } from '../stage.ts'
import { addWorkRootFlag, type WorkRootFlags, workRootOf } from '../work-dir.ts'

type ServiceFlags = LogFlags & ExecutorFlags & PromptsFlags & WorkRootFlags & { readonly concurrency: number }
type Serves = Pick<KafkaAgentCoordinatorOptions, 'executors' | 'gates'>

/** `duolog manager`, `duolog worker`, `duolog coordinator`: what serves sessions started with --dispatch topics. */
export function addServiceCommands(program: Command): void {
  addAgentCommand(program, 'manager', 'serve plans and reviews of sessions with --dispatch topics')
  addAgentCommand(program, 'worker', 'serve work items of sessions with --dispatch topics')
  const command = program
    .command('coordinator')
    .description('run the quality gates and look after the sessions of services that died')
  addServiceFlags(command)
    .addHelpText('after', examples('coordinator', ''))
    .action((flags: ServiceFlags) => serve('coordinator', flags, {}))
}

function addAgentCommand(program: Command, role: AgentRole, description: string): void {
  addServiceFlags(addPromptsFlag(addExecutorFlags(program.command(role).description(description))))
    .addHelpText('after', examples(role, ' --executor ./agent.mjs'))
    .action((flags: ServiceFlags) => withExecutor(flags, (executor) => serve(role, flags, agent(role, executor))))
}

function agent(role: AgentRole, executor: AgentExecutor): Serves {
  return { executors: { [role]: executor }, gates: false }
}

function addServiceFlags(command: Command): Command {
  command.option('--concurrency <n>', 'calls at one time', wholeNumber(1), 2)
  return addLogFlags(addWorkRootFlag(command), 'nothing')
}

function examples(role: string, executor: string): string {
  return `
Start as many as you like; they share the work. Prints "ready" on stderr; SIGTERM or Ctrl-C stops in order.

Examples:
  duolog ${role} --log kafka://localhost:9092${executor}
  duolog ${role} --log kafka://localhost:9092${executor} --concurrency 4`
}

async function serve(name: string, flags: ServiceFlags, serves: Serves): Promise<void> {
  const { log, concurrency } = flags
  const own = { concurrency, owner: newOwner(name), ...(await promptsFrom(flags)), ...workRootOf(flags), ...serves }
  const { screen, logger } = new Stage()
  const interrupt = onInterrupt(() => screen.print(`duolog ${name}: stopping; once more ends at once`))
  return withLog(
    log,
    (store) =>
      withCoordinator({ store, logger, ...own }, async (coordinator) => {
        await coordinator.start()
        screen.print(`duolog ${name}: ready (${coordinator.owner})`)
        const failure = await Promise.race([fired(interrupt.signal), coordinator.ended])
        if (failure !== undefined) throw failure
      }),
    { logger, create: true },
  )
}

function fired(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
