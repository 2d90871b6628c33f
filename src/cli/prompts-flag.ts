import type { Command } from 'commander'
import { loadPromptsModule } from '../agents/prompts/prompts-module.ts'
import type { OwnPrompts } from '../agents/prompts/session-prompts.ts'

/** Wordings of the caller's own. */
export interface PromptsFlags {
  readonly prompts?: string
}

export function addPromptsFlag(command: Command): Command {
  return command.option('--prompts <file>', 'a module whose default export has any of plan, work, review, gate')
}

/** @throws INVALID_ARGUMENT naming the file and what is wrong with it */
export async function promptsFrom({ prompts }: PromptsFlags): Promise<{ readonly prompts?: OwnPrompts }> {
  return prompts === undefined ? {} : { prompts: await loadPromptsModule(prompts) }
}
