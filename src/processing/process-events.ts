import * as z from 'zod'
import { defineEvent, type EventOf } from '../core/catalogue.ts'

const step = z.object({ step: z.string() })
const timer = z.object({ timer: z.string() })

/**
 * What a process manager writes into its streams. A store with a catalogue needs them in it:
 * `defineCatalogue([...yourEvents, ...processEvents])`.
 */
export const processEvents = [
  defineEvent({
    name: 'ProcessObserved',
    data: z.object({ eventId: z.string(), type: z.string(), data: z.unknown() }),
  }),
  defineEvent({ name: 'StepStarted', data: step }),
  defineEvent({ name: 'StepCompleted', data: step }),
  defineEvent({ name: 'StepFailed', data: step }),
  defineEvent({ name: 'StepTimedOut', data: step }),
  defineEvent({
    name: 'MessageSent',
    data: z.object({
      id: z.string(),
      message: z.object({ topic: z.string(), key: z.string().optional(), type: z.string(), data: z.unknown() }),
    }),
  }),
  defineEvent({ name: 'TimerScheduled', data: z.object({ timer: z.string(), dueAtMs: z.number() }) }),
  defineEvent({ name: 'TimerFired', data: timer }),
  defineEvent({ name: 'TimerCancelled', data: timer }),
  // In a stream of its own: where a start begins to look for pending timers.
  defineEvent({ name: 'TimerMarkMoved', data: z.object({ offset: z.number() }) }),
  defineEvent({ name: 'CompensationStarted', data: z.object({ reason: z.string(), steps: z.array(z.string()) }) }),
  defineEvent({ name: 'CompensationRequested', data: z.object({ step: z.string(), attempt: z.number() }) }),
  defineEvent({ name: 'CompensationAttemptFailed', data: z.object({ step: z.string(), reason: z.string() }) }),
  defineEvent({ name: 'StepCompensated', data: step }),
  defineEvent({ name: 'CompensationFailed', data: z.object({ step: z.string(), attempts: z.number() }) }),
  defineEvent({ name: 'ProcessCompleted', data: z.object({}) }),
  defineEvent({ name: 'ProcessCompensated', data: z.object({ left: z.array(z.string()) }) }),
] as const

/** One of {@link processEvents}. */
export type ProcessEvent = EventOf<(typeof processEvents)[number]>

export const processEventNames: ReadonlySet<string> = new Set(processEvents.map(({ name }) => name))
