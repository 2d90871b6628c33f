import type { AgentResult } from '../executor.ts'
import type { KeepOutput } from '../large-outputs.ts'
import { type Redact, redactLong } from '../redact.ts'
import { headAndTail } from './captured-text.ts'

/** What of an output stands in the log. */
export type KeptOutput = Pick<AgentResult, 'output' | 'fullOutputChars' | 'outputRef'>

export interface KeptOutputOptions {
  readonly redact: Redact
  readonly maxOutputChars: number
  /** Where the whole of one above the limit goes. */
  readonly keepOutput?: KeepOutput | undefined
}

const NOTE_CHARS = 64

/** Redacted while it is whole, so that no secret is cut into something that no longer looks like one. */
export async function keptOutput(result: AgentResult, options: KeptOutputOptions): Promise<KeptOutput> {
  const { redact, maxOutputChars, keepOutput } = options
  if (isShort(result, maxOutputChars)) return { output: redact(result.output) }
  const output = await redactLong(result.output, redact)
  const outputRef = await keepOutput?.(output)
  return {
    output: headAndTail(output, maxOutputChars),
    fullOutputChars: result.fullOutputChars ?? result.output.length,
    ...(outputRef === undefined ? {} : { outputRef }),
  }
}

/** What was cut before (a replayed answer) is a note longer, and not cut again. */
function isShort({ output, fullOutputChars }: AgentResult, maxOutputChars: number): boolean {
  return output.length <= maxOutputChars + (fullOutputChars === undefined ? 0 : NOTE_CHARS)
}
