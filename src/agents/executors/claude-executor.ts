/*
 * Claude Code as an executor, through its Agent SDK: one query and one process per call.
 */
import { DuologError } from '../../core/errors.ts'
import { systemClock } from '../../store/system.ts'
import type { AgentContext, AgentExecutor, AgentRequest, AgentResult } from '../executor.ts'
import { ClaudeMessages } from './claude-messages.ts'
import {
  type ClaudeExecutorOptions,
  checkClaudeOptions,
  claudeOptions,
  claudeSessionId,
  isNested,
} from './claude-options.ts'
import { errorOf, failed, resultOf } from './claude-outcome.ts'
import { ClaudeProcess } from './claude-process.ts'
import { type ClaudeOptions, type ClaudeQuery, loadClaudeQuery } from './claude-sdk.ts'
import { KILL_GRACE_MS } from './process-group.ts'

export type { ClaudeExecutorOptions } from './claude-options.ts'

const SOON = { afterMs: 1_000 }

/**
 * Has Claude Code do the work. Needs the optional package `@anthropic-ai/claude-agent-sdk` and credentials: the
 * environment variable ANTHROPIC_API_KEY, or a login of Claude Code on this machine.
 *
 * `request.resume` goes on with a session of Claude's: its id, or the id of the call that began it. A session that is
 * not found (it died before its first word) is begun anew.
 *
 * Calls reject with
 * - DEPENDENCY_MISSING without the package, WORKDIR_INVALID without a work directory;
 * - EXECUTOR_INVALID (retry never) when a person has to set something right: no key or a wrong one, no credit, an
 *   unknown model, a run inside another Claude Code session;
 * - EXECUTOR_FAILED with what the call had cost: a rate limit (`because: 'rate-limit'`, retry when it is lifted), an overloaded API (retry after
 *   30 s), a spent budget (`because: 'budget'`) or too many turns (retry never), a killed process and the rest (retry after 1 s);
 * - ABORTED when the signal fired.
 *
 * A call that is over leaves no process behind; what a descendant detaches is found on Linux only.
 *
 * @throws INVALID_ARGUMENT at once, naming the option
 */
export function claudeExecutor(options: ClaudeExecutorOptions = {}): AgentExecutor {
  checkClaudeOptions(options)
  return { execute: (request, context) => execute({ options, request, context }) }
}

/**
 * Whether a call could begin at all, before a session is written for it.
 * @throws DEPENDENCY_MISSING without the package · EXECUTOR_INVALID inside a Claude Code session
 */
export async function checkClaude(options: ClaudeExecutorOptions = {}): Promise<void> {
  if (isNested(options) && options.nested !== 'allow') throw nestedError()
  await loadClaudeQuery()
}

interface Call {
  readonly options: ClaudeExecutorOptions
  readonly request: AgentRequest
  readonly context: AgentContext
}

async function execute(call: Call): Promise<AgentResult> {
  await checkClaude(call.options)
  const query = await loadClaudeQuery()
  for (let session = firstSession(call.request); ; ) {
    const ended = await run(call, query, session)
    const next = otherSession(session, ended)
    if (next === undefined) return outcomeOf(call, ended)
    session = next
  }
}

type Session = Pick<ClaudeOptions, 'resume' | 'sessionId'>

interface Ended {
  readonly messages: ClaudeMessages
  readonly claude: ClaudeProcess
  /** What the SDK threw. */
  readonly problem: unknown
}

function firstSession({ sessionId, callId, resume }: AgentRequest): Session {
  if (resume !== undefined) return { resume: claudeSessionId(sessionId, resume) }
  return { sessionId: claudeSessionId(sessionId, callId) }
}

/** Refused before anything was asked: there is no such session, or another log has used the id. */
function otherSession({ resume, sessionId }: Session, { messages, claude }: Ended): Session | undefined {
  const { result } = messages
  const said = result?.subtype === 'error_during_execution' ? result.errors.join('\n') : ''
  if (resume !== undefined && said.includes('No conversation found')) return { sessionId: resume }
  const isTaken = sessionId !== undefined && result === undefined && /Session ID .* already in use/.test(claude.stderr)
  return isTaken ? {} : undefined
}

async function run({ options, request, context }: Call, query: ClaudeQuery, session: Session): Promise<Ended> {
  const claude = await ClaudeProcess.prepare(request, options.killGraceMs ?? KILL_GRACE_MS)
  const abort = new AbortController()
  const stop = () => {
    void claude.end()
    abort.abort()
  }
  const messages = new ClaudeMessages(request.workDir, context, stop)
  context.signal.addEventListener('abort', stop, { once: true })
  try {
    if (context.signal.aborted) throw abortedError(context)
    const stream = query({
      prompt: request.prompt,
      options: {
        ...claudeOptions(options, request),
        ...session,
        abortController: abort,
        spawnClaudeCodeProcess: (spawn) => claude.spawn(spawn),
      },
    })
    return { messages, claude, problem: await readAll(stream, messages) }
  } finally {
    context.signal.removeEventListener('abort', stop)
    await claude.end()
    messages.progress.flush()
  }
}

/** The SDK throws after an error result, too: what it sent counts more than what it throws. */
async function readAll(stream: ReturnType<ClaudeQuery>, messages: ClaudeMessages): Promise<unknown> {
  try {
    for await (const message of stream) messages.read(message)
    return undefined
  } catch (error) {
    return error
  }
}

function outcomeOf({ request, context }: Call, { messages, claude, problem }: Ended): AgentResult {
  if (messages.result !== undefined) return resultOf(request, messages, systemClock.now())
  if (context.signal.aborted) throw abortedError(context)
  const { error, sessionId, toolCalls } = messages
  const paidFor = {
    ...(sessionId === undefined ? {} : { executorSessionId: sessionId }),
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
  }
  if (error !== undefined) throw errorOf(error, messages.errorText, { paidFor, retry: SOON })
  const said = problem instanceof Error ? ` (${problem.message})` : ''
  if (claude.started) throw failed(`Claude's process gave no result: it ${claude.describe()}${said}`, SOON, paidFor)
  throw new DuologError('EXECUTOR_INVALID', `Claude could not be started${said}.`, { cause: problem })
}

function abortedError(context: AgentContext): DuologError {
  return new DuologError('ABORTED', 'The call was stopped.', { cause: context.signal.reason })
}

function nestedError(): DuologError {
  return new DuologError(
    'EXECUTOR_INVALID',
    "This process runs inside a Claude Code session (CLAUDECODE is set), which would start another one and pay for both. Start it from a shell of your own, or give claudeExecutor({ nested: 'allow' }).",
  )
}
