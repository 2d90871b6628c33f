import { DuologError } from '../../core/errors.ts'
import { messageOf } from '../../core/message-of.ts'
import { GATE_PROMPT_VERSION, type GatePromptInput, gatePrompt } from './gate-prompt.ts'
import { PLAN_PROMPT_VERSION, type PlanPromptInput, planPrompt } from './plan-prompt.ts'
import { REVIEW_PROMPT_VERSION, type ReviewPromptInput, reviewPrompt } from './review-prompt.ts'
import { WORK_PROMPT_VERSION, type WorkPromptInput, workPrompt } from './work-prompt.ts'

/** How an agent is asked for one purpose: pure, and with a version that is recorded with each call. */
export interface Prompt<Input> {
  /** Change it with the wording. The package's own are whole numbers. */
  readonly version: number | string
  /** The same input gives the same text. */
  readonly render: (input: Input) => string
}

/** The wording of every call of a session. */
export interface SessionPrompts {
  readonly plan: Prompt<PlanPromptInput>
  readonly work: Prompt<WorkPromptInput>
  readonly review: Prompt<ReviewPromptInput>
  readonly gate: Prompt<GatePromptInput>
}

/** Prompts of a caller's own, each with a text as its version; what is left out is the package's. */
export type OwnPrompts = { readonly [Purpose in keyof SessionPrompts]?: SessionPrompts[Purpose] }

/** The package's own wording. */
export const packagePrompts: SessionPrompts = {
  plan: { version: PLAN_PROMPT_VERSION, render: planPrompt },
  work: { version: WORK_PROMPT_VERSION, render: workPrompt },
  review: { version: REVIEW_PROMPT_VERSION, render: reviewPrompt },
  gate: { version: GATE_PROMPT_VERSION, render: gatePrompt },
}

/** @throws INVALID_ARGUMENT naming the field, also when a version could be taken for one of the package's */
export function promptsWith(own: OwnPrompts = {}): SessionPrompts {
  const checked = Object.entries(own).map(([purpose, prompt]) => [purpose, ownPrompt(purpose, prompt)])
  return { ...packagePrompts, ...Object.fromEntries(checked) }
}

function ownPrompt(purpose: string, prompt: Prompt<never>): Prompt<never> {
  const { version, render } = prompt ?? {}
  if (!Object.hasOwn(packagePrompts, purpose)) {
    throw invalid(`prompts.${purpose}: there is no such prompt; give any of ${Object.keys(packagePrompts).join(', ')}`)
  }
  if (typeof version !== 'string' || version.length === 0 || version.length > 100) {
    throw invalid(
      `prompts.${purpose}.version: must be a text of 1 to 100 characters, such as "mine-1"; it is recorded with each call`,
    )
  }
  if (typeof render !== 'function') throw invalid(`prompts.${purpose}.render: must be a function of the input`)
  return { version, render: (input) => rendered(purpose, prompt, input) }
}

/** What a wording of somebody's own gives is looked at before an agent is paid for it. */
function rendered(purpose: string, prompt: Prompt<never>, input: never): string {
  let text: unknown
  try {
    text = prompt.render(input)
  } catch (cause) {
    const said = messageOf(cause)
    throw invalid(`prompts.${purpose}.render fails: ${said}`, cause)
  }
  if (typeof text === 'string' && text !== '') return text
  throw invalid(
    `prompts.${purpose}.render: must give a text that is not empty, but gave ${text === '' ? 'none' : typeof text}`,
  )
}

function invalid(message: string, cause?: unknown): DuologError {
  return new DuologError('INVALID_ARGUMENT', message, { cause })
}

/** The versions a session is to record, of the prompts that are not the package's own. */
export function ownVersions(prompts: SessionPrompts): { [Purpose in keyof SessionPrompts]?: string } {
  const own = Object.entries(prompts).filter(([, { version }]) => typeof version === 'string')
  return Object.fromEntries(own.map(([purpose, { version }]) => [purpose, String(version)]))
}
