/*
 * Runs any command line agent, one process per call.
 *
 * In: the prompt on stdin (closed after it), the call's metadata in DUOLOG_… variables (`requestEnvironment`), the work
 * directory as current folder. Out, one JSON value per line on stdout:
 *
 *   {"type":"progress","message":"reading src/a.ts"}
 *   {"type":"result","output":"…","structured":{…},"usage":{"inputTokens":1,"outputTokens":2},"costUsd":0.01,
 *    "executorSessionId":"…","artifacts":["src/a.ts"],"toolCalls":[{"tool":"Bash","input":"npm test"}]}
 *   {"type":"error","message":"no credit","retry":"never","costUsd":0.01}
 *
 * The last result counts, and only with exit code 0. Lines that are not JSON or of another type are passed over.
 */
import { isAbsolute, resolve } from 'node:path'
import * as z from 'zod'
import { DuologError } from '../../core/errors.ts'
import { toolCallSchema, usageSchema } from '../call-facts.ts'
import {
  aBoolean,
  aFunction,
  anObject,
  anything,
  checkOptions,
  integerFrom,
  oneOf,
  optional,
  type Shape,
  texts,
} from '../check-options.ts'
import {
  type AgentContext,
  type AgentExecutor,
  type AgentRequest,
  type AgentResult,
  ExecutorFailedError,
} from '../executor.ts'
import { check } from '../explain-issues.ts'
import { createRedactor, type Redact } from '../redact.ts'
import { headAndTail } from './captured-text.ts'
import { LineReader } from './json-lines.ts'
import { inheritedEnvironment, requestEnvironment } from './process-environment.ts'
import { runIdentityOf } from './run-identity.ts'
import { describeEnd, describeNotStarted, type ProcessEnd, runProcess } from './run-process.ts'

/** Options of {@link processExecutor}. */
export interface ProcessExecutorOptions {
  /** A program found through PATH, or a path (relative to the folder this process is in now). Never read by a shell. */
  readonly command: string
  readonly args?: readonly string[]
  /** Added to the environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Whether the command sees our environment, and so the keys in it. Default true. */
  readonly inheritEnv?: boolean
  /** 'text': all of stdout is the output, for commands that speak no JSON lines. Default 'json-lines'. */
  readonly output?: 'json-lines' | 'text'
  /** Between SIGTERM and SIGKILL of a stopped call. Default 400: more, and a cancelled call may be at work for longer than a second. */
  readonly killGraceMs?: number
  /**
   * What is kept of each of stdout and stderr, beginning and end. Default 200,000; where stdout is the answer ('text')
   * 64,000,000.
   */
  readonly maxCaptureChars?: number
  /** A longer line of stdout is dropped. Default 64,000,000. */
  readonly maxLineChars?: number
  /** A command that prints more is stopped and has failed. Default 256 MiB. */
  readonly maxOutputBytes?: number
  /** For what the command printed, where an error quotes it. Default: `createRedactor()` with `env`. */
  readonly redact?: Redact
}

const OPTIONS: Shape<ProcessExecutorOptions> = {
  // Of a command that names no program EXECUTOR_INVALID is said.
  command: anything,
  args: optional(texts),
  env: optional(anObject),
  inheritEnv: optional(aBoolean),
  output: optional(oneOf('json-lines', 'text')),
  killGraceMs: optional(integerFrom(0)),
  maxCaptureChars: optional(integerFrom(0)),
  maxLineChars: optional(integerFrom(1)),
  maxOutputBytes: optional(integerFrom(1)),
  redact: optional(aFunction),
}

const RETRY_AFTER_MS = 1_000
const QUOTED_CHARS = 2_000
const MAX_ANSWER_CHARS = 64_000_000

const resultLine = z.object({
  output: z.string().optional(),
  structured: z.unknown().optional(),
  usage: usageSchema.optional(),
  costUsd: z.number().min(0, 'must not be negative').optional(),
  executorSessionId: z.string().optional(),
  artifacts: z.array(z.string()).optional(),
  toolCalls: z.array(toolCallSchema).optional(),
})

const errorLine = z.object({
  message: z.string(),
  retry: z
    .union([z.enum(['never', 'now']), z.object({ afterMs: z.number().min(0) })])
    .default({ afterMs: RETRY_AFTER_MS }),
  costUsd: z.number().min(0).optional(),
})

/**
 * Calls reject with EXECUTOR_INVALID when the command cannot be started, WORKDIR_INVALID when there is no work
 * directory, ABORTED when the signal fired, and EXECUTOR_FAILED (retry after 1 s) when it ends with another exit code
 * than 0, is killed, prints no result, or prints one of the wrong shape.
 *
 * A stopped call is gone, with all its descendants, within a second. A descendant that left the process group (a
 * daemon) is found on Linux only, and left alone when a call ends by itself. On Windows only the command itself is ended.
 *
 * @throws INVALID_ARGUMENT at once, naming the option; EXECUTOR_INVALID without a command
 */
export function processExecutor(options: ProcessExecutorOptions): AgentExecutor {
  checkOptions('options of processExecutor', options, OPTIONS)
  const command = commandOf(options)
  const redact = options.redact ?? createRedactor({ env: { ...process.env, ...options.env } })
  return { execute: (request, context) => execute({ ...options, command, redact }, request, context) }
}

type Configured = ProcessExecutorOptions & { readonly redact: Redact }

function commandOf({ command }: ProcessExecutorOptions): string {
  if (typeof command !== 'string' || command.trim() === '') {
    throw new DuologError('EXECUTOR_INVALID', 'The process executor has no command: name the program to run.')
  }
  return /[\\/]/.test(command) && !isAbsolute(command) ? resolve(command) : command
}

async function execute(options: Configured, request: AgentRequest, context: AgentContext): Promise<AgentResult> {
  const protocol = new Protocol(context, options.maxLineChars ?? MAX_ANSWER_CHARS)
  const { command, args = [], killGraceMs, maxOutputBytes } = options
  const maxCaptureChars = options.maxCaptureChars ?? (options.output === 'text' ? MAX_ANSWER_CHARS : undefined)
  const outcome = await runProcess({
    command,
    args,
    cwd: request.workDir,
    env: {
      ...(options.inheritEnv === false ? {} : inheritedEnvironment()),
      ...options.env,
      ...requestEnvironment(request),
    },
    stdin: request.prompt,
    signal: context.signal,
    onStdout: options.output === 'text' ? ignore : (chunk) => protocol.lines.add(chunk),
    identity: await runIdentityOf(request),
    ...(killGraceMs === undefined ? {} : { killGraceMs }),
    ...(maxCaptureChars === undefined ? {} : { maxCaptureChars }),
    ...(maxOutputBytes === undefined ? {} : { maxOutputBytes }),
  })
  if (outcome.kind === 'not-started') {
    const code = outcome.problem === 'no-folder' ? 'WORKDIR_INVALID' : 'EXECUTOR_INVALID'
    throw new DuologError(code, `The call could not begin: ${describeNotStarted(outcome, command)}.`, {
      cause: outcome.error,
    })
  }
  protocol.lines.end()
  if (outcome.by === 'abort')
    throw new DuologError('ABORTED', 'The call was stopped.', { cause: context.signal.reason })
  return options.output === 'text' ? textResult(options, outcome) : linesResult(options, outcome, protocol)
}

const ignore = () => undefined

function textResult(options: Configured, end: ProcessEnd): AgentResult {
  refuseFailure(options, end)
  const { text, totalChars, leftOutChars } = end.stdout
  if (text.trim() === '') throw failed(options, end, 'printed nothing; its whole stdout is the answer')
  return { output: text.trimEnd(), ...(leftOutChars > 0 ? { fullOutputChars: totalChars } : {}) }
}

function linesResult(options: Configured, end: ProcessEnd, { result, error, lines }: Protocol): AgentResult {
  if (error) throw reported(options, error)
  refuseFailure(options, end)
  if (result === undefined) {
    const tooLong = lines.tooLong > 0 ? `; ${lines.tooLong} lines were too long to read` : ''
    const wanted = 'print {"type":"result","output":"…"} as a line of its own, or use the option output: \'text\''
    throw failed(options, end, `printed no result line${tooLong}: ${wanted}`)
  }
  const checked = check(resultLine, result)
  if (!checked.ok) throw failed(options, end, `printed a result that cannot be used: ${checked.errors.join('; ')}`)
  const { output, structured } = checked.value
  const text = output ?? (structured === undefined ? '' : JSON.stringify(structured, null, 2))
  return { ...(checked.value as Partial<AgentResult>), output: text }
}

function refuseFailure(options: Configured, end: ProcessEnd): void {
  if (end.by === 'output-limit') throw failed(options, end, 'printed without end and was stopped')
  if (end.exitCode !== 0) throw failed(options, end, describeEnd(end))
}

function reported({ redact }: Configured, input: unknown): DuologError {
  const checked = check(errorLine, input)
  if (!checked.ok)
    return new ExecutorFailedError(`The agent reports an error, but not what: ${checked.errors.join('; ')}.`)
  const { message, retry, costUsd } = checked.value
  const paidFor = costUsd === undefined ? {} : { costUsd }
  return new ExecutorFailedError(`The agent reports: ${redact(headAndTail(message, QUOTED_CHARS))}`, { retry, paidFor })
}

function failed({ command, redact }: Configured, { stderr, stdout }: ProcessEnd, problem: string): DuologError {
  const said = stderr.text.trim() === '' ? stdout : stderr
  const quoted = redact(headAndTail(said.text.trim(), QUOTED_CHARS))
  const evidence = quoted === '' ? 'It printed nothing else.' : `It printed:\n${quoted}`
  return new ExecutorFailedError(`"${command}" ${problem}. ${evidence}`, { retry: { afterMs: RETRY_AFTER_MS } })
}

class Protocol {
  readonly lines: LineReader
  readonly #context: AgentContext
  result: unknown
  error: unknown

  constructor(context: AgentContext, maxLineChars: number) {
    this.#context = context
    this.lines = new LineReader(maxLineChars, (line) => this.#read(line))
  }

  #read(line: string): void {
    const value = parseObject(line)
    if (value?.type === 'result') this.result = value
    if (value?.type === 'error') this.error = value
    if (value?.type === 'progress' && typeof value.message === 'string')
      this.#context.progress({ message: value.message })
  }
}

function parseObject(line: string): Record<string, unknown> | undefined {
  if (!line.trimStart().startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
