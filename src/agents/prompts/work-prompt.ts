import { bullets } from './bullets.ts'

/** Raise it when the wording changes; it is recorded with each call. */
export const WORK_PROMPT_VERSION = 1

/** What the wording of a work request is made of. */
export interface WorkPromptInput {
  readonly task: string
  readonly title: string
  readonly description: string
  readonly acceptanceCriteria: readonly string[]
  readonly attempt: number
  /** Why the attempt before was rejected, with the gates' evidence. */
  readonly feedback: readonly string[]
  /** What the accepted items it depends on are called. */
  readonly finished: readonly string[]
}

/** Asks the Worker for one work item. Pure. */
export function workPrompt(input: WorkPromptInput): string {
  return [
    'You are the Worker of a small team. Do this one work item in the current directory, completely.',
    `The whole task, for context:\n${input.task}`,
    `Work item: ${input.title}\n${input.description}`,
    `It is accepted when:\n${bullets(input.acceptanceCriteria)}`,
    ...(input.finished.length === 0 ? [] : [`Already done, build on it:\n${bullets(input.finished)}`]),
    ...(input.feedback.length === 0
      ? []
      : [
          `This is attempt ${input.attempt}. The one before was rejected for these reasons; mend them:\n${bullets(input.feedback)}`,
        ]),
    'When you are done, say in a few sentences what you changed and why.',
  ].join('\n\n')
}
