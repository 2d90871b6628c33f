import { bullets } from './bullets.ts'
import { gateLine, type ReviewedGate } from './gate-line.ts'

/** Raise it when the wording changes; it is recorded with each call. */
export const REVIEW_PROMPT_VERSION = 2

/** What the wording of a review request is made of. */
export interface ReviewPromptInput {
  readonly title: string
  readonly description: string
  readonly acceptanceCriteria: readonly string[]
  readonly attempt: number
  /** What the Worker answered. */
  readonly output: string
  readonly artifacts: readonly string[]
  /** The difference the attempts made to the work directory, in words; empty when nobody looked. */
  readonly changes: string
  readonly gates: readonly ReviewedGate[]
  /** What was wrong with the reviewer's answer before. */
  readonly errors: readonly string[]
}

/** Asks the Manager for a verdict on one attempt; the reviewer sees what the Worker said and what the gates found. Pure. */
export function reviewPrompt(input: ReviewPromptInput): string {
  return [
    'You are the Manager of a small team. Review what the Worker did in the current directory.',
    `Work item: ${input.title}\n${input.description}`,
    `It is accepted when:\n${bullets(input.acceptanceCriteria)}`,
    `Attempt ${input.attempt}. The Worker says:\n${input.output}`,
    ...(input.artifacts.length === 0 ? [] : [`Files changed:\n${bullets(input.artifacts)}`]),
    ...(input.changes === '' ? [] : [`What changed in the directory:\n${input.changes}`]),
    ...(input.gates.length === 0 ? [] : [`Gates:\n${bullets(input.gates.map(gateLine))}`]),
    [
      'Answer with one JSON object and nothing else:',
      '{"approved": boolean, "qualityScore": number from 0 to 1, "feedback": [string], "recommendations": [string]}',
      'Your answer counts exactly as given. When you reject, the feedback goes to the Worker.',
    ].join('\n'),
    ...(input.errors.length === 0 ? [] : [`Your last answer was no verdict. Mend this:\n${bullets(input.errors)}`]),
  ].join('\n\n')
}
