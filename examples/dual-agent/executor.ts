import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AgentExecutor, claudeExecutor, scriptedExecutor } from 'duolog/agents'

export const EXECUTORS = ['script', 'claude'] as const
/** Who answers as Manager and Worker; see --help. */
export type ExecutorName = (typeof EXECUTORS)[number]

const SCRIPT = fileURLToPath(new URL('./dual-agent.script.json', import.meta.url))

/** With real agents this is all that changes: claudeExecutor(), processExecutor({ … }), or an executor of your own. */
export function executorNamed(name: ExecutorName): AgentExecutor {
  return name === 'claude' ? claudeExecutor() : scriptedExecutor(SCRIPT)
}

const CREDENTIALS = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN']
const OTHER_CLOUDS = ['CLAUDE_CODE_USE_BEDROCK', 'CLAUDE_CODE_USE_VERTEX', 'CLAUDE_CODE_USE_FOUNDRY']

/** What Claude lacks here; told before anything is begun. macOS keeps a login where only Claude Code can see it. */
export function missingFor(name: ExecutorName, env = process.env, platform = process.platform): string | undefined {
  if (name === 'script' || platform === 'darwin') return undefined
  const login = join(env.CLAUDE_CONFIG_DIR ?? join(homedir(), '.claude'), '.credentials.json')
  if ([...CREDENTIALS, ...OTHER_CLOUDS].some((variable) => env[variable]) || existsSync(login)) return undefined
  return '--executor claude needs a key: set ANTHROPIC_API_KEY, or log in once by starting Claude Code ("claude", then /login)'
}
