import { bullets } from './bullets.ts'
import { gateLine, type ReviewedGate } from './gate-line.ts'

/** Raise it when the wording changes; it is recorded with each call. */
export const GATE_PROMPT_VERSION = 2

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
  /** The accepted work items, when the session's whole result is judged. */
  readonly workItems: readonly AcceptedItem[]
  /** What was wrong with the answer before. */
  readonly errors: readonly string[]
}

/** A work item of a session whose whole result is judged. */
export interface AcceptedItem {
  readonly title: string
  readonly acceptanceCriteria: readonly string[]
  /** Of its review, 0 to 1. */
  readonly qualityScore?: number | undefined
  readonly recommendations: readonly string[]
  readonly gates: readonly ReviewedGate[]
}

/** Asks the Manager for the verdict of one gate. Pure. */
export function gatePrompt(input: GatePromptInput): string {
  const { task, gateId, instruction, minScore, workItem, workItems, errors } = input
  return [
    `You are the quality gate "${gateId}" of a small team. Judge what is in the current directory by this alone:`,
    instruction,
    `The whole task, for context:\n${task}`,
    ...(workItem === undefined ? [resultText(workItems)] : [workItemText(workItem)]),
    [
      'Answer with one JSON object and nothing else:',
      '{"passed": boolean, "score": number from 0 to 1, "label": string (optional), "explanation": string, "evidence": string (optional)}',
      `Your answer counts exactly as given${minScore > 0 ? `; a score below ${minScore} does not pass` : ''}.`,
    ].join('\n'),
    ...(errors.length === 0 ? [] : [`Your last answer was no verdict. Mend this:\n${bullets(errors)}`]),
  ].join('\n\n')
}

function resultText(items: readonly AcceptedItem[]): string {
  return ['All work items are accepted: judge the whole result.', ...items.map(acceptedText)].join('\n')
}

function acceptedText({ title, acceptanceCriteria, qualityScore, recommendations, gates }: AcceptedItem): string {
  const score = qualityScore === undefined ? [] : [`review ${qualityScore}`]
  // Without their evidence: there may be hundreds.
  const said = [...score, ...gates.map((gate) => gateLine({ ...gate, evidence: undefined }))].join('; ')
  return [
    `- ${title}${said === '' ? '' : ` (${said})`}`,
    ...acceptanceCriteria.map((criterion) => `  - accepted when: ${criterion}`),
    ...recommendations.map((recommendation) => `  - recommended: ${recommendation}`),
  ].join('\n')
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
