import { bullets } from './bullets.ts'

/** Raise it when the wording changes; it is recorded with each call. */
export const REVIEW_PROMPT_VERSION = 1

export interface ReviewPromptInput {
  readonly title: string
  readonly description: string
  readonly acceptanceCriteria: readonly string[]
  readonly attempt: number
  /** What the Worker answered. */
  readonly output: string
  readonly artifacts: readonly string[]
  readonly gates: readonly { readonly gateId: string; readonly passed: boolean; readonly explanation: string }[]
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
    ...(input.gates.length === 0 ? [] : [`Gates:\n${bullets(input.gates.map(gateLine))}`]),
    [
      'Answer with one JSON object and nothing else:',
      '{"approved": boolean, "qualityScore": number from 0 to 1, "feedback": [string], "recommendations": [string]}',
      'Your answer counts exactly as given. When you reject, the feedback goes to the Worker.',
    ].join('\n'),
    ...(input.errors.length === 0 ? [] : [`Your last answer was no verdict. Mend this:\n${bullets(input.errors)}`]),
  ].join('\n\n')
}

function gateLine(gate: ReviewPromptInput['gates'][number]): string {
  return `${gate.gateId}: ${gate.passed ? 'passed' : 'failed'} (${gate.explanation})`
}
