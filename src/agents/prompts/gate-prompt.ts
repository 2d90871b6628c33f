import { bullets } from './bullets.ts'

/** Raise it when the wording changes; it is recorded with each call. */
export const GATE_PROMPT_VERSION = 1

/** What a reviewer asked for one gate is told. */
export interface GatePromptInput {
  readonly task: string
  readonly gateId: string
  /** What to judge, in the words of the session's settings. */
  readonly instruction: string
  readonly minScore: number
  /** Absent when the session's whole result is judged. */
  readonly workItem?: {
    readonly title: string
    readonly description: string
    readonly acceptanceCriteria: readonly string[]
    readonly output: string
    readonly changes: string
  }
  /** What was wrong with the answer before. */
  readonly errors: readonly string[]
}

/** Asks the Manager for the verdict of one gate. Pure. */
export function gatePrompt({ task, gateId, instruction, minScore, workItem, errors }: GatePromptInput): string {
  return [
    `You are the quality gate "${gateId}" of a small team. Judge what is in the current directory by this alone:`,
    instruction,
    `The whole task, for context:\n${task}`,
    ...(workItem === undefined ? ['All work items are accepted: judge the whole result.'] : [workItemText(workItem)]),
    [
      'Answer with one JSON object and nothing else:',
      '{"passed": boolean, "score": number from 0 to 1, "label": string (optional), "explanation": string, "evidence": string (optional)}',
      `Your answer counts exactly as given${minScore > 0 ? `; a score below ${minScore} does not pass` : ''}.`,
    ].join('\n'),
    ...(errors.length === 0 ? [] : [`Your last answer was no verdict. Mend this:\n${bullets(errors)}`]),
  ].join('\n\n')
}

function workItemText(item: NonNullable<GatePromptInput['workItem']>): string {
  const { title, description, acceptanceCriteria, output, changes } = item
  return [
    `Work item: ${title}\n${description}`,
    `It is accepted when:\n${bullets(acceptanceCriteria)}`,
    `The Worker says:\n${output}`,
    ...(changes === '' ? [] : [`What changed:\n${changes}`]),
  ].join('\n\n')
}
