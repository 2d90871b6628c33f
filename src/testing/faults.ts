import type { AnyEvent } from '../core/event.ts'
import { onReach } from '../core/reach.ts'
import type { EventStore } from '../store/event-store.ts'
import { pause } from '../store/wake-ups.ts'

/*
 * Faults by plan, so that "what if it fails just here?" is a test and not a prayer.
 */

/** What goes wrong at a named point; see {@link faultAt}. */
export interface PointFault {
  /** Thrown at the point. */
  readonly error: Error
  /** How often the point is passed unharmed first. Default 0. */
  readonly after?: number
  /** How often it fails then. Default 1. */
  readonly times?: number
}

/** A fault that waits for its point. */
export interface ArmedFault {
  /** How often it struck. */
  readonly struck: number
  /** Takes it away. */
  disarm(): void
}

const armed = new Map<string, Set<() => void>>()
let unlisten: (() => void) | undefined

/**
 * Lets an error strike at a named crash point: `views.apply.written`, `process.observe.begin`, … One test at a time per
 * process: the points are the whole process's, and `onReach` listens at the same place.
 */
export function faultAt(point: string, { error, after = 0, times = 1 }: PointFault): ArmedFault {
  let passed = 0
  let struck = 0
  const strike = () => {
    if (passed++ < after || struck >= times) return
    struck++
    throw error
  }
  const faults = armed.get(point) ?? new Set()
  armed.set(point, faults.add(strike))
  unlisten ??= onReach((reached) => {
    for (const fault of armed.get(reached) ?? []) fault()
  })
  return {
    get struck() {
      return struck
    },
    disarm: () => {
      faults.delete(strike)
      if (faults.size === 0) armed.delete(point)
      if (armed.size > 0) return
      unlisten?.()
      unlisten = undefined
    },
  }
}

/** What becomes of one append; see {@link faultyStore}. */
export type AppendFault =
  | 'ok'
  /** Refused before anything was written. */
  | { readonly failBefore: Error }
  /** Written, but the caller hears of an error: an answer that was lost. */
  | { readonly failAfter: Error }
  /** Comes late. */
  | { readonly delayMs: number }

/** How a {@link faultyStore} goes wrong. */
export interface FaultPlan {
  /** One for each append, in order; after the last, all is well. A function decides for each by stream and number. */
  readonly appends?: readonly AppendFault[] | ((stream: string, number: number) => AppendFault)
}

/** A store whose appends fail by plan; all else is the store's own. Closing it closes the store. */
export function faultyStore<E extends AnyEvent>(store: EventStore<E>, plan: FaultPlan): EventStore<E> {
  const { appends = [] } = plan
  let appended = 0
  const faultOf = (stream: string) => {
    const number = appended++
    return (typeof appends === 'function' ? appends(stream, number) : appends[number]) ?? 'ok'
  }
  const appendToStream: EventStore<E>['appendToStream'] = async (...given) => {
    const fault = faultOf(given[0])
    if (fault === 'ok') return store.appendToStream(...given)
    if ('failBefore' in fault) throw fault.failBefore
    if ('delayMs' in fault) await pause(fault.delayMs)
    const answer = await store.appendToStream(...given)
    if ('failAfter' in fault) throw fault.failAfter
    return answer
  }
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'appendToStream') return appendToStream
      const own: unknown = Reflect.get(target, name, target)
      return typeof own === 'function' ? own.bind(target) : own
    },
  })
}
