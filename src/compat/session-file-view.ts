import { headAndTail } from '../agents/executors/captured-text.ts'
import { type OwnPrompts, promptsWith, type SessionPrompts } from '../agents/prompts/session-prompts.ts'
import { requestFor } from '../agents/session/requests.ts'
import type { SessionEvent, SessionEventData } from '../agents/session/schemas.ts'
import type { SessionState } from '../agents/session/state.ts'
import type { RecordedEvent } from '../core/event.ts'

/* The host's session file as a fold of a session's events. It reads none: what is in one is made anew. */

/** One call of an agent. */
export interface SessionIteration {
  readonly iteration: number
  /** Beginning and end of a long one. */
  readonly prompt: string
  readonly output: {
    /** Beginning and end of a long one; the whole is in the log. */
    readonly result?: string
    readonly sessionId?: string
    readonly totalCost?: number
    readonly error?: string
    readonly tools?: readonly string[]
    readonly files?: readonly string[]
    readonly commands?: readonly string[]
  }
  readonly exitCode: 0 | 1
  /** Seconds. */
  readonly duration: number
  readonly timestamp: string
  readonly executionMode: 'sdk'
  readonly sdkSessionId?: string
}

/** The host's session file, `.claude-sessions/ID.json`. */
export interface SessionFileContent {
  readonly id: string
  readonly startTime: string
  readonly endTime?: string
  readonly initialPrompt: string
  readonly workDir: string
  readonly iterations: readonly SessionIteration[]
  readonly status: 'running' | 'completed' | 'failed'
  readonly executionMode: 'sdk'
}

const MAX_CHARS = 10_000

const STATUS = { SessionCompleted: 'completed', SessionFailed: 'failed', SessionCancelled: 'failed' } as const

/** Folds the events of one session into its file. */
export class SessionFileView {
  readonly #id: string
  readonly #prompts: SessionPrompts
  readonly #asked = new Map<string, string>()
  readonly #iterations: SessionIteration[] = []
  #head: Pick<SessionFileContent, 'startTime' | 'initialPrompt' | 'workDir'> | undefined
  #end: Pick<SessionFileContent, 'status' | 'endTime'> = { status: 'running' }
  /** Of the call whose tool calls follow its outcome. */
  #newest: string | undefined

  constructor(id: string, prompts: OwnPrompts | undefined) {
    this.#id = id
    this.#prompts = promptsWith(prompts)
  }

  get content(): SessionFileContent | undefined {
    if (this.#head === undefined) return undefined
    return { id: this.#id, ...this.#head, iterations: this.#iterations, ...this.#end, executionMode: 'sdk' }
  }

  /** `state`: right after the event. Says whether the file is another one now. */
  see(event: RecordedEvent<SessionEvent>, state: SessionState): boolean {
    switch (event.type) {
      case 'SessionCreated':
      case 'SessionForked':
        this.#head = { startTime: event.timestamp, initialPrompt: event.data.task, workDir: event.data.workDir }
        return true
      case 'AgentCallClaimed':
        this.#ask(event.data.callId, state)
        return false
      case 'AgentCallCompleted':
      case 'AgentCallFailed':
        return this.#add(event.timestamp, event.data)
      case 'AgentToolCalled':
        return this.#addTool(event.data)
      case 'SessionCompleted':
      case 'SessionFailed':
      case 'SessionCancelled':
        this.#end = { status: STATUS[event.type], endTime: event.timestamp }
        return true
      default:
        return false
    }
  }

  /** What it is asked stands in no event; it is computed from the state, as whoever asks does it. */
  #ask(callId: string, state: SessionState): void {
    const call = state.calls.get(callId)
    if (call === undefined || call.role === 'gate') return
    const { prompt } = requestFor(this.#id, state, call, this.#prompts)
    this.#asked.set(callId, headAndTail(prompt, MAX_CHARS))
  }

  #add(
    timestamp: string,
    ended: SessionEventData['AgentCallCompleted'] | SessionEventData['AgentCallFailed'],
  ): boolean {
    const prompt = this.#asked.get(ended.callId)
    if (prompt === undefined) return false
    this.#asked.delete(ended.callId)
    this.#newest = ended.callId
    const { executorSessionId } = ended
    this.#iterations.push({
      iteration: this.#iterations.length + 1,
      prompt,
      output: {
        ...('error' in ended ? { error: ended.error.message } : answered(ended)),
        ...(executorSessionId !== undefined && { sessionId: executorSessionId }),
        totalCost: ended.costUsd,
      },
      exitCode: 'error' in ended ? 1 : 0,
      duration: ended.durationMs / 1_000,
      timestamp,
      executionMode: 'sdk',
      ...(executorSessionId !== undefined && { sdkSessionId: executorSessionId }),
    })
    return true
  }

  #addTool({ callId, tool, input }: SessionEventData['AgentToolCalled']): boolean {
    const last = this.#iterations.at(-1)
    if (callId !== this.#newest || last === undefined) return false
    const { tools = [], commands = [] } = last.output
    const output = {
      ...last.output,
      tools: [...new Set([...tools, tool])],
      ...(tool === 'Bash' && input !== undefined && { commands: [...commands, input] }),
    }
    this.#iterations[this.#iterations.length - 1] = { ...last, output }
    return true
  }
}

type Answered = Pick<SessionIteration['output'], 'result' | 'files'>

function answered({ output, structured, artifacts, changes }: SessionEventData['AgentCallCompleted']): Answered {
  const text = output === '' && structured !== undefined ? JSON.stringify(structured) : output
  const files = [...new Set([...(artifacts ?? []), ...(changes?.files ?? [])])]
  return { result: headAndTail(text, MAX_CHARS), ...(files.length > 0 && { files }) }
}
