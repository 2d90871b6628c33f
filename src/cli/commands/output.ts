import type { Command } from 'commander'
import { readCallOutput } from '../../agents/large-outputs.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printJson, printText } from '../output.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

const EXAMPLES = `
Other commands show the beginning and the end of a long answer; this one all of it.

Examples:
  duolog output 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 work:money:1
  duolog output 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 work:money:1 > answer.txt`

export function addOutputCommand(program: Command): void {
  const command = program
    .command('output')
    .description('print all that a call answered, secrets redacted')
    .argument('<session>', SESSION_ID)
    .argument('<call>', "the call's id, as show --json has it")
  addLogFlags(command, '{"output"}')
    .addHelpText('after', EXAMPLES)
    .action((session: string, call: string, flags: LogFlags) =>
      withLog(flags.log, async (store) => {
        const output = await readCallOutput(store, await sessionNamed(store, session), call)
        await (flags.json ? printJson({ output }) : printText(output))
      }),
    )
}
