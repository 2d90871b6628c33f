import { type CallState, failuresUpTo, type SessionState } from './state.ts'

/** What is to become of a call's purpose, now that the call has ended one way or another. */
export function fateOf(
  state: SessionState,
  call: CallState | undefined,
): 'none' | 'pending' | 'done' | 'again' | 'given-up' {
  if (call === undefined) return 'none'
  switch (call.status) {
    case 'completed':
      return 'done'
    case 'cancelled':
      return 'again'
    case 'failed':
      if (call.because !== undefined) return 'again'
      return call.retryable && failuresUpTo(call) < state.settings.maxCallAttempts ? 'again' : 'given-up'
    case 'in-doubt':
      return call.resolution === undefined ? 'pending' : call.resolution === 'fail' ? 'given-up' : 'again'
    default:
      return 'pending'
  }
}

export function whyFailed(call: CallState | undefined): string {
  if (call?.status === 'in-doubt') return 'its outcome is in doubt and it was resolved as failed'
  return call?.error?.message ?? 'no reason recorded'
}
