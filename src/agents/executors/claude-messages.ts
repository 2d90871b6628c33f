/* Reads what the SDK streams: what people may see of it meanwhile, and what the outcome needs. */
import { isAbsolute, relative, resolve } from 'node:path'
import { systemClock } from '../../store/system.ts'
import type { AgentContext, ToolCall } from '../executor.ts'
import { CoalescedProgress, describeToolCall, toolDetail } from './claude-progress.ts'
import type { SDKMessage } from './claude-sdk.ts'

type Message<Type extends SDKMessage['type']> = Extract<SDKMessage, { type: Type }>
/** Fields Claude Code sends and the SDK's types do not name. */
export type ClaudeResult = Message<'result'> & {
  readonly api_error_type?: string
  readonly model_usage_since_last_result?: Message<'result'>['modelUsage']
}
export type ClaudeErrorKind = NonNullable<Message<'assistant'>['error']>

const CHANGING = new Set(['Write', 'Edit', 'MultiEdit', 'NotebookEdit'])
/** A first refusal may be a token about to be renewed; a second one is an answer. */
const AUTHENTICATION_TRIES = 2

/** What is known of a call while and after it runs. */
export class ClaudeMessages {
  readonly progress: CoalescedProgress
  readonly #workDir: string
  readonly #stop: () => void
  readonly #changing = new Map<string, string>()
  readonly #changed = new Set<string>()
  readonly #toolCalls: ToolCall[] = []
  result: ClaudeResult | undefined
  error: ClaudeErrorKind | undefined
  errorText = ''
  sessionId: string | undefined
  /** When the limit is lifted, milliseconds since 1970. */
  resetsAtMs: number | undefined

  /** `stop` is called when going on makes no sense. */
  constructor(workDir: string, context: AgentContext, stop: () => void) {
    this.#workDir = workDir
    this.#stop = stop
    this.progress = new CoalescedProgress((message) => context.progress({ message }))
  }

  /** Files changed inside the work directory, relative to it. */
  get artifacts(): string[] {
    return [...this.#changed]
  }

  /** In order, each as often as it was made: the guard joins and limits them. */
  get toolCalls(): readonly ToolCall[] {
    return this.#toolCalls
  }

  read(message: SDKMessage): void {
    if ('session_id' in message && message.session_id !== '') this.sessionId = message.session_id
    if (message.type === 'assistant') this.#assistant(message)
    else if (message.type === 'user') this.#toolResults(message)
    else if (message.type === 'system') this.#system(message)
    else if (message.type === 'rate_limit_event') this.#rateLimit(message)
    else if (message.type === 'result') this.result = message
  }

  #assistant(message: Message<'assistant'>): void {
    this.error = message.error
    for (const block of message.message.content) {
      if (block.type === 'text' && message.error !== undefined) this.errorText = block.text
      if (block.type === 'tool_use') this.#toolCall(block)
    }
  }

  #toolCall({ id, name, input }: { id: string; name: string; input: unknown }): void {
    if (name !== 'StructuredOutput') this.#noteToolCall(name, input)
    const { file_path, notebook_path } = input as Record<string, unknown>
    const path = file_path ?? notebook_path
    if (CHANGING.has(name) && typeof path === 'string') this.#changing.set(id, path)
  }

  #noteToolCall(tool: string, input: unknown): void {
    this.progress.add(describeToolCall(tool, input))
    const detail = toolDetail(input)
    const firstAt = new Date(systemClock.now()).toISOString()
    this.#toolCalls.push({ tool, ...(detail === undefined ? {} : { input: detail }), firstAt })
  }

  /** Only a change that succeeded is one. */
  #toolResults({ message }: Message<'user'>): void {
    const blocks = typeof message.content === 'string' ? [] : message.content
    for (const block of blocks) {
      if (block.type !== 'tool_result' || block.is_error === true) continue
      const path = this.#changing.get(block.tool_use_id)
      if (path !== undefined) this.#addChanged(path)
    }
  }

  #addChanged(path: string): void {
    const inside = relative(this.#workDir, resolve(this.#workDir, path))
    if (inside !== '' && !inside.startsWith('..') && !isAbsolute(inside)) this.#changed.add(inside)
  }

  #system(message: Message<'system'>): void {
    if (message.subtype === 'permission_denied') this.progress.add(`${message.tool_name} was not allowed`)
    if (message.subtype === 'api_retry') this.#retry(message)
  }

  #retry({ attempt, max_retries, retry_delay_ms, error }: Extract<SDKMessage, { subtype: 'api_retry' }>): void {
    const seconds = Math.round(retry_delay_ms / 100) / 10
    this.progress.add(`Claude's API: ${error}; try ${attempt} of ${max_retries} again in ${seconds} s`)
    if (error !== 'authentication_failed' || attempt < AUTHENTICATION_TRIES) return
    this.error = error
    this.#stop()
  }

  #rateLimit({ rate_limit_info: info }: Message<'rate_limit_event'>): void {
    if (info.status === 'rejected' && info.resetsAt !== undefined) this.resetsAtMs = info.resetsAt * 1_000
  }
}
