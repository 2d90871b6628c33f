import { isDuologError } from '../../core/errors.ts'
import { aFunction, anExecutor, checkArgument, checkOptions, optional } from '../check-options.ts'
import { type AgentExecutor, type AgentResult, becauseOf, type PaidFor, paidForOf } from '../executor.ts'
import { createRedactor, type Redact } from '../redact.ts'
import { type Recording, recordingOf } from './cassette.ts'
import { keptOutput } from './kept-output.ts'

/** Options of {@link recordingExecutor}. */
export interface RecordingOptions {
  /** Default: `createRedactor()`. */
  readonly redact?: Redact
}

/**
 * Passes every call on and hands its recording to `sink` before it answers; `cassetteOf(recordings)` makes the file of
 * them. Failed calls are recorded, too; stopped ones are not, they have no answer. A sink that fails fails the call.
 */
export function recordingExecutor(
  executor: AgentExecutor,
  sink: (recording: Recording) => unknown,
  options: RecordingOptions = {},
): AgentExecutor {
  checkArgument('executor', executor, anExecutor)
  checkArgument('sink', sink, aFunction)
  checkOptions('options of recordingExecutor', options, { redact: optional(aFunction) })
  const redact = options.redact ?? createRedactor()
  return {
    async execute(request, context) {
      try {
        const result = await executor.execute(request, context)
        const isAnswer = request.outputSchema !== undefined
        const recorded = isAnswer ? withoutToolCalls(result) : await shortened(withoutToolCalls(result), redact)
        await sink(recordingOf(request, { result: recorded as RecordedResult }, redact))
        return result
      } catch (error) {
        const failure = context.signal.aborted ? undefined : failureOf(error)
        if (failure !== undefined) await sink(recordingOf(request, { error: failure }, redact))
        throw error
      }
    },
    close: async () => executor.close?.(),
  }
}

type RecordedResult = Extract<Recording['outcome'], { result: unknown }>['result']
type RecordedError = Extract<Recording['outcome'], { error: unknown }>['error']

const MAX_OUTPUT_CHARS = 200_000

/** As the log keeps it: beginning and end. An answer that has to be found in the text stays whole. */
async function shortened<T extends AgentResult>(result: T, redact: Redact): Promise<T> {
  if (typeof result.output !== 'string' || result.output.length <= MAX_OUTPUT_CHARS) return result
  return { ...result, ...(await keptOutput(result, { redact, maxOutputChars: MAX_OUTPUT_CHARS })) }
}

/** Answers are replayed, not deeds. */
function withoutToolCalls<T extends PaidFor>({ toolCalls: _, ...rest }: T): Omit<T, 'toolCalls'> {
  return rest
}

/** A call that was stopped, or parked by a limit, has no answer to replay: the next try of it has. */
function failureOf(error: unknown): RecordedError | undefined {
  if (!isDuologError(error)) return { code: 'EXECUTOR_FAILED', message: String(error), retry: { afterMs: 1_000 } }
  const { code, message, retry } = error
  return code === 'ABORTED' || becauseOf(error) !== undefined
    ? undefined
    : { code, message, retry, paidFor: withoutToolCalls(paidForOf(error)) }
}
