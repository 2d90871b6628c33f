import { bullets } from './bullets.ts'

/** Raise it when the wording changes; it is recorded with each call. */
export const PLAN_PROMPT_VERSION = 1

/** What the wording of a plan request is made of. */
export interface PlanPromptInput {
  readonly task: string
  readonly maxWorkItems: number
  /** What was wrong with the plan before. */
  readonly errors: readonly string[]
}

/** Asks the Manager for a plan. Pure. */
export function planPrompt({ task, maxWorkItems, errors }: PlanPromptInput): string {
  return [
    'You are the Manager of a small team. Plan the task below as work items that a Worker can do one by one.',
    `Task:\n${task}`,
    [
      'Answer with one JSON object and nothing else:',
      '{"strategy": string, "workItems": [{"id": string, "title": string, "description": string,',
      ' "acceptanceCriteria": [string, at least one], "priority": 1 (first) to 5, "estimatedEffort": hours, "dependencies": [ids]}]}',
      `At most ${maxWorkItems} work items; ids are unique; dependencies name other items and form no cycle.`,
    ].join('\n'),
    ...(errors.length === 0 ? [] : [`Your last answer could not be used. Mend this:\n${bullets(errors)}`]),
  ].join('\n\n')
}
