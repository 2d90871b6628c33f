import type { Command } from 'commander'
import { cassetteFromSession } from '../../agents/cassette-from-session.ts'
import type { Cassette } from '../../agents/executors/cassette.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printJson } from '../output.ts'
import { addPromptsFlag, type PromptsFlags, promptsFrom } from '../prompts-flag.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

const EXAMPLES = `
Examples:
  duolog cassette 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 > session.cassette.json
  duolog run "The same task" --replay session.cassette.json`

export function addCassetteCommand(program: Command): void {
  const command = program
    .command('cassette')
    .description("print a session's calls as a cassette that --replay answers from, secrets redacted")
    .argument('<session>', SESSION_ID)
  addLogFlags(addPromptsFlag(command), 'the cassette, which is JSON anyway')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string, flags: LogFlags & PromptsFlags) => {
      const prompts = await promptsFrom(flags)
      await withLog(flags.log, async (store) =>
        print(await cassetteFromSession(store, await sessionNamed(store, session), prompts)),
      )
    })
}

async function print(cassette: Cassette): Promise<void> {
  const unknown = cassette.recordings.filter(({ wordingUnknown }) => wordingUnknown).length
  if (unknown > 0) process.stderr.write(`${unknownWording(unknown, cassette.recordings.length)}\n`)
  await printJson(cassette)
}

function unknownWording(unknown: number, all: number): string {
  return (
    `${unknown} of ${all} calls were asked with prompts other than those of this version of duolog. Their recordings ` +
    'answer the prompts the session ran with; what they were asked cannot be shown. To have it in the cassette, give ' +
    'those prompts: --prompts FILE.'
  )
}
