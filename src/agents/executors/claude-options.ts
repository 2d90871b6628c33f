/*
 * What the SDK is told for one call. Nobody is there to be asked, so whatever would prompt is refused:
 *
 * - plan and review may read inside the work directory and nothing else;
 * - work may also edit inside it; a shell, the web and whatever lies outside need to be named in `allowedTools`;
 * - file tools named there (Read, Edit, Write …) are offered, never allowed beyond the work directory.
 */
import { createHash } from 'node:crypto'
import {
  aBoolean,
  aNumber,
  anObject,
  aText,
  checkOptions,
  integerFrom,
  oneOf,
  optional,
  type Shape,
  texts,
} from '../check-options.ts'
import type { AgentPurpose, AgentRequest } from '../executor.ts'
import { CREATED_BY } from '../version.ts'
import type { ClaudeOptions } from './claude-sdk.ts'
import { inheritedEnvironment } from './process-environment.ts'

/** Options of {@link claudeExecutor}. */
export interface ClaudeExecutorOptions {
  /** For requests that name none. Default: Claude's own default. */
  readonly model?: string
  /** Requests and answers of one call. Default: no limit but the call's time and budget. */
  readonly maxTurns?: number
  /** For requests that have no budget. Default: none. */
  readonly maxBudgetUsd?: number
  /**
   * Tools per purpose, as Claude names them (`'Edit'`, `'Bash(npm test)'`, `'WebFetch'`). Default: Read, Glob and Grep
   * for plan and review; for work what the request allows, else Read, Glob, Grep, Edit and Write.
   */
  readonly tools?: Partial<Record<AgentPurpose, readonly string[]>>
  /**
   * For work. 'acceptEdits' (default): edits inside the work directory, and the tools allowed; 'dontAsk': only the
   * tools allowed; 'bypassPermissions': everything, for a container that is thrown away (Claude refuses it to root).
   */
  readonly permissionMode?: 'acceptEdits' | 'dontAsk' | 'bypassPermissions'
  /**
   * Which settings files Claude reads. Default none, so that a run depends on nothing unseen: no hooks, no MCP servers,
   * no CLAUDE.md. 'project' brings in those of the work directory, hooks included.
   */
  readonly settingSources?: readonly ('user' | 'project' | 'local')[]
  /** Added to Claude Code's own system prompt. */
  readonly systemPrompt?: string
  /** Added to the environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Whether Claude sees our environment, and so the keys in it. Default true. */
  readonly inheritEnv?: boolean
  /** What to do inside a Claude Code session (CLAUDECODE is set): refuse (default), or start another one in it. */
  readonly nested?: 'refuse' | 'allow'
  /** Another Claude Code than the one that comes with the SDK. */
  readonly claudePath?: string
  /** Between SIGTERM and SIGKILL of a stopped call. Default 400: more, and a cancelled call may be at work for longer than a second. */
  readonly killGraceMs?: number
}

const OPTIONS: Shape<ClaudeExecutorOptions> = {
  model: optional(aText),
  maxTurns: optional(integerFrom(1)),
  maxBudgetUsd: optional(aNumber),
  tools: optional(anObject),
  permissionMode: optional(oneOf('acceptEdits', 'dontAsk', 'bypassPermissions')),
  settingSources: optional(texts),
  systemPrompt: optional(aText),
  env: optional(anObject),
  inheritEnv: optional(aBoolean),
  nested: optional(oneOf('refuse', 'allow')),
  claudePath: optional(aText),
  killGraceMs: optional(integerFrom(0)),
}

const TOOLS: Shape<NonNullable<ClaudeExecutorOptions['tools']>> = {
  plan: optional(texts),
  work: optional(texts),
  review: optional(texts),
}

export function checkClaudeOptions(options: ClaudeExecutorOptions): void {
  checkOptions('options of claudeExecutor', options, OPTIONS)
  if (options.tools !== undefined) checkOptions('options of claudeExecutor: tools', options.tools, TOOLS)
}

type Environment = Record<string, string | undefined>

const READING = ['Read', 'Glob', 'Grep']
const WORKING = [...READING, 'Edit', 'Write']
/** These stay inside the work directory: allowing them by name would allow them everywhere. */
const FILE_TOOLS = new Set([...WORKING, 'NotebookEdit'])

/** Set by Claude Code for what it starts; a session inside must not believe it is the one outside. */
const OF_OUTER_SESSION = /^(CLAUDECODE|CLAUDE_CODE_(ENTRYPOINT|SSE_PORT|SESSION_ID|CHILD_SESSION|EXECPATH))$/

/** All of the environment Claude gets, but for what marks an outer session. */
export function claudeEnvironment(options: ClaudeExecutorOptions): Environment {
  const own = Object.entries(callerEnvironment(options)).filter(([name]) => !OF_OUTER_SESSION.test(name))
  return {
    ...Object.fromEntries(own),
    DISABLE_AUTOUPDATER: '1',
    CLAUDE_CODE_STARTUP_FAILURE_RESULTS: '1',
    CLAUDE_AGENT_SDK_CLIENT_APP: CREATED_BY,
  }
}

/** Told by the variable Claude Code sets, never by names: this package may be started from any path. */
export function isNested(options: ClaudeExecutorOptions): boolean {
  return ![undefined, '', '0'].includes(callerEnvironment(options).CLAUDECODE)
}

function callerEnvironment({ inheritEnv, env }: ClaudeExecutorOptions): Environment {
  return { ...(inheritEnv === false ? {} : inheritedEnvironment()), ...env }
}

export function claudeOptions(options: ClaudeExecutorOptions, request: AgentRequest): ClaudeOptions {
  const model = request.model ?? options.model
  const maxBudgetUsd = request.maxBudgetUsd ?? options.maxBudgetUsd
  return {
    cwd: request.workDir,
    env: claudeEnvironment(options),
    systemPrompt: {
      type: 'preset',
      preset: 'claude_code',
      ...(options.systemPrompt === undefined ? {} : { append: options.systemPrompt }),
    },
    settingSources: [...(options.settingSources ?? [])],
    strictMcpConfig: options.settingSources === undefined || options.settingSources.length === 0,
    // A prompt quotes what agents wrote: no slash command and no @file in it is meant.
    verbatimPrompts: true,
    permissionPrompts: 'none',
    ...permissions(options, request),
    ...(model === undefined ? {} : { model }),
    ...(options.maxTurns === undefined ? {} : { maxTurns: options.maxTurns }),
    ...(maxBudgetUsd === undefined ? {} : { maxBudgetUsd }),
    ...(options.claudePath === undefined ? {} : { pathToClaudeCodeExecutable: options.claudePath }),
    ...(request.outputSchema === undefined ? {} : outputFormat(request.outputSchema)),
  }
}

function outputFormat(schema: object): Pick<ClaudeOptions, 'outputFormat'> {
  return { outputFormat: { type: 'json_schema', schema: { ...schema } } }
}

function permissions(options: ClaudeExecutorOptions, request: AgentRequest): Partial<ClaudeOptions> {
  const { deniedTools = [] } = request
  const rules = rulesFor(options, request).filter(
    (rule) => !deniedTools.includes(rule) && !deniedTools.includes(toolOf(rule)),
  )
  const permissionMode = request.purpose === 'work' ? (options.permissionMode ?? 'acceptEdits') : 'dontAsk'
  return {
    tools: [...new Set(rules.map(toolOf))],
    allowedTools: rules.filter((rule) => !FILE_TOOLS.has(rule)),
    ...(deniedTools.length === 0 ? {} : { disallowedTools: [...deniedTools] }),
    permissionMode,
    ...(permissionMode === 'bypassPermissions' ? { allowDangerouslySkipPermissions: true } : {}),
  }
}

function rulesFor({ tools }: ClaudeExecutorOptions, { purpose, allowedTools }: AgentRequest): readonly string[] {
  return tools?.[purpose] ?? (purpose === 'work' ? (allowedTools ?? WORKING) : READING)
}

/** `Bash` of `Bash(npm test)`. */
function toolOf(rule: string): string {
  return rule.split('(', 1)[0]!.trim()
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * Claude's own session of a call: derived, not drawn, so that after a crash the session of a call in doubt is known
 * although nobody lived to report it.
 */
export function claudeSessionId(sessionId: string, callId: string): string {
  if (UUID.test(callId)) return callId
  const digest = createHash('sha256').update(`duolog claude\n${sessionId}\n${callId}`).digest('hex')
  const [a, b, c, d] = [digest.slice(0, 8), digest.slice(8, 12), digest.slice(13, 16), digest.slice(17, 20)]
  return `${a}-${b}-8${c}-8${d}-${digest.slice(20, 32)}`
}
