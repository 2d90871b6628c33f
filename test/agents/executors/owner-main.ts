/*
 * Makes one call through a process executor and never ends by itself: to be killed.
 * argv: work directory, marker, key of the call (work item id)
 */
import { processExecutor } from '../../../src/agents/executors/process-executor.ts'
import { contextOf, requestIn } from './request.ts'

const [workDir = '', marker = '', workItemId = 'a'] = process.argv.slice(2)
const args = [
  '-c',
  'trap "" TERM; (trap "" TERM; sleep 3600; true) & echo "{\\"type\\":\\"progress\\",\\"message\\":\\"on\\"}"; wait',
  marker,
]
const context = { ...contextOf(), progress: () => process.stdout.write('running\n') }
await processExecutor({ command: 'sh', args }).execute(requestIn(workDir, { workItemId }), context)
