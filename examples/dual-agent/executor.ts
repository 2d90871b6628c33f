import { fileURLToPath } from 'node:url'
import { scriptedExecutor } from 'duolog/agents'

/** With real agents this is all that changes: processExecutor({ … }), claudeExecutor(), or an executor of your own. */
export const executor = scriptedExecutor(fileURLToPath(new URL('./dual-agent.script.json', import.meta.url)))
