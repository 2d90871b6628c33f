import { type Command, Option } from 'commander'
import type { AgentExecutor } from '../agents/executor.ts'
import { checkClaude, claudeExecutor } from '../agents/executors/claude-executor.ts'
import { loadExecutorModule } from '../agents/executors/executor-module.ts'
import { processExecutor } from '../agents/executors/process-executor.ts'
import { replayExecutor } from '../agents/executors/replay-executor.ts'
import { scriptedExecutor } from '../agents/executors/scripted-executor.ts'
import { DuologError } from '../core/errors.ts'
import { checkProgram } from './find-program.ts'
import { splitCommand } from './split-command.ts'

/** Who does the work: at most one of them, commander sees to it. */
export interface ExecutorFlags {
  readonly executor?: string
  readonly script?: string
  readonly command?: string[]
  readonly replay?: string
}

export function addExecutorFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--executor <file>', 'a module whose default export is an AgentExecutor; or: claude').conflicts([
        'script',
        'command',
        'replay',
      ]),
    )
    .addOption(
      new Option('--script <file>', 'a JSON file with the answers: no model, no cost').conflicts(['command', 'replay']),
    )
    .addOption(
      new Option('--command <program>', 'a program, prompt on stdin, JSON lines on stdout')
        .argParser(splitCommand)
        .conflicts('replay'),
    )
    .option('--replay <file>', 'a cassette (see duolog cassette): answers as recorded, no cost')
}

const WAYS = `Nobody is there to do the work. Give one of:
  --script FILE        answers from a JSON file, free of charge (see examples/dual-agent/dual-agent.script.json)
  --command 'PROGRAM'  any command line agent: the prompt on stdin, JSON lines on stdout
  --executor FILE      a module whose default export is an AgentExecutor
  --executor claude    Claude Code, through its Agent SDK: npm install @anthropic-ai/claude-agent-sdk
  --replay FILE        what a session was answered before (duolog cassette SESSION > FILE), free of charge`

/**
 * What would make every call fail is said here, before a session is written.
 * @throws INVALID_ARGUMENT without any; what the chosen one says about its file, program or package
 */
export async function executorFrom(flags: ExecutorFlags): Promise<AgentExecutor> {
  // A file of that name is ./claude.
  if (flags.executor === 'claude') return claude()
  if (flags.executor !== undefined) return loadExecutorModule(flags.executor)
  if (flags.script !== undefined) return scriptedExecutor(flags.script)
  if (flags.command !== undefined) return commandExecutor(flags.command)
  if (flags.replay !== undefined) return replayExecutor(flags.replay)
  throw new DuologError('INVALID_ARGUMENT', WAYS)
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

async function claude(): Promise<AgentExecutor> {
  await checkClaude()
  return claudeExecutor()
}

async function commandExecutor([command = '', ...args]: readonly string[]): Promise<AgentExecutor> {
  const executor = processExecutor({ command, args })
  await checkProgram(command)
  return executor
}
