import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { AgentContext, AgentRequest } from '../../../src/agents/executor.ts'
import { type DuologError, isDuologError } from '../../../src/core/errors.ts'

export function tempFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'duolog-executors-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function requestIn(workDir: string, change: Partial<AgentRequest> = {}): AgentRequest {
  return {
    callId: 'work:a:1',
    sessionId: 'session-1',
    role: 'worker',
    purpose: 'work',
    prompt: 'Do it.',
    workItemId: 'a',
    attempt: 1,
    workDir,
    timeoutMs: 60_000,
    ...change,
  }
}

export function contextOf(signal: AbortSignal = new AbortController().signal): AgentContext & { messages: string[] } {
  const messages: string[] = []
  return { signal, messages, progress: ({ message }) => messages.push(message) }
}

/** The error it rejects (or throws) with; anything but a DuologError fails the test. */
export async function errorOf(work: () => unknown): Promise<DuologError> {
  try {
    await work()
  } catch (error) {
    if (isDuologError(error)) return error
    throw error
  }
  throw new Error('expected a DuologError, nothing was thrown')
}

/** Command lines of living processes that hold `marker`; zombies are dead. */
export function livingWith(marker: string): string[] {
  const table = execFileSync('ps', ['-A', '-ww', '-o', 'stat=,args='], { encoding: 'utf8' })
  return table.split('\n').filter((line) => line.includes(marker) && !line.trimStart().startsWith('Z'))
}

/** Polls without a limit of its own: the test's time-out is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}
