import { type Command, Option } from 'commander'
import type { AgentExecutor } from '../agents/executor.ts'
import { loadExecutorModule } from '../agents/executors/executor-module.ts'
import { processExecutor } from '../agents/executors/process-executor.ts'
import { scriptedExecutor } from '../agents/executors/scripted-executor.ts'
import { DuologError } from '../core/errors.ts'
import { splitCommand } from './split-command.ts'

/** Who does the work: at most one of them, commander sees to it. */
export interface ExecutorFlags {
  readonly executor?: string
  readonly script?: string
  readonly command?: string[]
}

export function addExecutorFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--executor <file>', 'a module whose default export is an AgentExecutor').conflicts([
        'script',
        'command',
      ]),
    )
    .addOption(new Option('--script <file>', 'a JSON file with the answers: no model, no cost').conflicts('command'))
    .addOption(
      new Option('--command <program>', 'a program, prompt on stdin, JSON lines on stdout').argParser(splitCommand),
    )
}

const THREE_WAYS = `Nobody is there to do the work. Give one of:
  --script FILE        answers from a JSON file, free of charge (see examples/dual-agent/dual-agent.script.json)
  --command 'PROGRAM'  any command line agent: the prompt on stdin, JSON lines on stdout
  --executor FILE      a module whose default export is an AgentExecutor`

/** @throws INVALID_ARGUMENT without any; what the chosen one says about its file. */
export async function executorFrom(flags: ExecutorFlags): Promise<AgentExecutor> {
  if (flags.executor !== undefined) return loadExecutorModule(flags.executor)
  if (flags.script !== undefined) return scriptedExecutor(flags.script)
  if (flags.command !== undefined) return commandExecutor(flags.command)
  throw new DuologError('INVALID_ARGUMENT', THREE_WAYS)
}

/** Uses the executor and closes it whatever happens. */
export async function withExecutor<T>(flags: ExecutorFlags, use: (executor: AgentExecutor) => Promise<T>): Promise<T> {
  const executor = await executorFrom(flags)
  try {
    return await use(executor)
  } finally {
    await executor.close?.()
  }
}

function commandExecutor([command = '', ...args]: readonly string[]): AgentExecutor {
  return processExecutor({ command, args })
}
