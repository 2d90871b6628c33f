import type { AgentContext, AgentRequest } from '../../../src/agents/executor.ts'

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
