import { open } from 'node:fs/promises'
import { anExecutor, aText, checkArgument } from '../check-options.ts'
import type { AgentExecutor, AgentRequest } from '../executor.ts'

/** One line of the journal. A start without an end is an execution that was killed. */
export interface JournalEntry {
  readonly callId: string
  readonly sessionId: string
  readonly purpose: AgentRequest['purpose']
  readonly workItemId?: string
  readonly attempt: number
  readonly phase: 'start' | 'end'
  /** At the end only. */
  readonly outcome?: 'done' | 'failed'
  readonly pid: number
  /** When the line was written, milliseconds since the epoch. */
  readonly atMs: number
}

/**
 * Records each execution as it really happens, apart from what the log says about it: one JSON line in `file`, flushed
 * to disk, before the executor is asked and one after it answered. Several processes may share the file.
 */
export function journaledExecutor(executor: AgentExecutor, file: string): AgentExecutor {
  checkArgument('executor', executor, anExecutor)
  checkArgument('file', file, aText)
  return {
    async execute(request, context) {
      await append(file, entryOf(request, 'start'))
      try {
        const result = await executor.execute(request, context)
        await append(file, { ...entryOf(request, 'end'), outcome: 'done' })
        return result
      } catch (error) {
        await append(file, { ...entryOf(request, 'end'), outcome: 'failed' })
        throw error
      }
    },
    close: async () => executor.close?.(),
  }
}

function entryOf(request: AgentRequest, phase: JournalEntry['phase']): JournalEntry {
  const { callId, sessionId, purpose, workItemId, attempt } = request
  return {
    callId,
    sessionId,
    purpose,
    ...(workItemId === undefined ? {} : { workItemId }),
    attempt,
    phase,
    pid: process.pid,
    atMs: Date.now(),
  }
}

/** One write to a file opened for appending: lines of several processes do not mix. */
async function append(file: string, entry: JournalEntry): Promise<void> {
  const handle = await open(file, 'a')
  try {
    await handle.write(`${JSON.stringify(entry)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
