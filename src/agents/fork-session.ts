import { DuologError, isExpectedVersionConflict } from '../core/errors.ts'
import { STREAM_DOES_NOT_EXIST } from '../core/versions.ts'
import type { EventStore } from '../store/event-store.ts'
import { checked } from './explain-issues.ts'
import { foldSession, type SessionStep, sessionStateAt } from './fold-session.ts'
import { sessionNotFound } from './read-sessions.ts'
import { evolveSession } from './session/evolve.ts'
import { beginsStep, isKeptBesideNewPlan } from './session/fork.ts'
import { settle } from './session/perform.ts'
import { planEvents } from './session/plan-events.ts'
import type { SessionEvent, SessionEventData } from './session/schemas.ts'
import { sessionStore } from './session/session-events.ts'
import { doubtPolicies, type SessionSettings, settingsSchema } from './session/settings.ts'
import { isEnded, type SessionState } from './session/state.ts'
import { graphErrors, type Plan } from './structured-output.ts'
import { taskMessages } from './tasks.ts'
import { CREATED_BY } from './version.ts'

/** What a fork does differently from the session it comes from. */
export interface ForkChanges {
  readonly task?: string
  readonly workDir?: string
  /** Values by their path in the settings: `{ 'models.worker': 'a-model', maxRevisions: 4 }`; null is the default again. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Replaces every work item that is not accepted yet. */
  readonly workItems?: Plan['workItems']
}

export interface ForkRequest extends ForkChanges {
  /** Of the wordings that whoever forks brings. */
  readonly promptVersions?: SessionSettings['promptVersions']
  readonly store: EventStore
  readonly from: string
  /** Right after this event and what followed from it in the same step. Default: the end. */
  readonly at?: number
  readonly sessionId: string
  readonly owner: string
  /** Milliseconds since the epoch. */
  readonly nowMs: number
}

/** A new session, and where exactly it begins. */
export interface Forked {
  readonly sessionId: string
  readonly from: string
  /** The last event taken over: `at`, or the end of the step that `at` lies in. */
  readonly atVersion: number
}

/**
 * Begins a session that goes on from another one's event; that one is left as it is. One append, so a fork exists wholly or
 * not at all; the same fork again, under the same id, is one.
 *
 * @throws SESSION_NOT_FOUND · SESSION_EXISTS · INVALID_ARGUMENT when `at` lies beyond the end, a change does not fit, or the
 * session has ended there and the fork would have nothing left to do
 */
export async function forkSession(request: ForkRequest): Promise<Forked> {
  const { store, from, sessionId } = request
  const { state, version } = await stateAtStepEnd(store, from, request.at)
  const events = eventsOf(request, state, version)
  const after = events.reduce(evolveSession, state)
  if (isEnded(state) && isEnded(after)) throw nothingLeft(request, state, await lastToGoOnFrom(request))
  try {
    await sessionStore(store).appendToStream(sessionId, events, {
      expectedStreamVersion: STREAM_DOES_NOT_EXIST,
      idempotencyKey: `fork:${from}:${version}`,
      outgoing: taskMessages(sessionId, events, after),
    })
  } catch (error) {
    if (!isExpectedVersionConflict(error)) throw error
    throw new DuologError('SESSION_EXISTS', `There is a session "${sessionId}" already. Fork under another id.`)
  }
  return { sessionId, from, atVersion: version }
}

async function stateAtStepEnd(store: EventStore, from: string, at?: number) {
  const end = at === undefined ? undefined : await endOfStep(store, from, at)
  const { state, version } = await sessionStateAt(store, from, end)
  if (version === 0) throw sessionNotFound(from)
  if (end !== undefined && version < end) throw badFork('at', `session "${from}" ends at version ${version}`)
  return { state, version }
}

/** F3: the position before the next event that begins a step. */
async function endOfStep(store: EventStore, from: string, at: number): Promise<number> {
  if (!(Number.isInteger(at) && at > 0)) throw badFork('at', `must be a whole number from 1, not ${at}`)
  let end = at
  for await (const event of sessionStore(store).readStream(from, { from: at + 1 })) {
    if (beginsStep(event)) return end
    end = event.streamPosition
  }
  return end
}

function eventsOf(request: ForkRequest, base: SessionState, version: number): SessionEvent[] {
  return withConsequences([forkedEvent(request, base, version), ...newPlan(request)], base, request.nowMs)
}

/** The end of the last step after which this fork would not have ended at once. */
async function lastToGoOnFrom(request: ForkRequest): Promise<number | undefined> {
  let last: number | undefined
  let before: SessionStep | undefined
  for await (const step of foldSession(request.store, request.from)) {
    if (before !== undefined && beginsStep(step.event) && goesOn(request, before)) last = before.event.streamPosition
    before = step
  }
  return last
}

function goesOn(request: ForkRequest, { state, event }: SessionStep): boolean {
  return !isEnded(eventsOf(request, state, event.streamPosition).reduce(evolveSession, state))
}

function nothingLeft({ from }: ForkRequest, { status }: SessionState, last: number | undefined): DuologError {
  const ended = `session "${from}" is ${status}, and a fork of its end would have nothing left to do`
  const less = last === undefined ? '' : `At ${last} or before it can go on (duolog fork ${from} --at ${last}). `
  const more = `${last === undefined ? 'Give' : 'Otherwise give'} it a plan of its own: workItems, --plan.`
  return badFork('at', `${ended}. ${less}${more}`)
}

function forkedEvent(request: ForkRequest, base: SessionState, atVersion: number): SessionEvent {
  const { from, owner, task = base.task, workDir = base.workDir, workItems } = request
  const kept = [...base.workItems.values()].filter((item) => workItems === undefined || isKeptBesideNewPlan(item))
  const promptVersions = { ...base.settings.promptVersions, ...request.promptVersions }
  const settings = changedSettings({ ...base.settings, promptVersions }, request.settings ?? {})
  const keptWorkItemIds = kept.map(({ id }) => id).filter((id) => !workItems?.some((item) => item.id === id))
  const startedAt = new Date(request.nowMs).toISOString()
  const data = { from, atVersion, startedAt, task, workDir, settings, owner, createdBy: CREATED_BY, keptWorkItemIds }
  checkGraph(workItems ?? [], keptWorkItemIds)
  const newPlan = workItems === undefined ? {} : { newPlan: true as const }
  return { type: 'SessionForked', data: { ...data, ...newPlan, changes: changesOf(request) } }
}

function checkGraph(workItems: Plan['workItems'], keptWorkItemIds: readonly string[]): void {
  const known = new Set([...keptWorkItemIds, ...workItems.map(({ id }) => id)])
  for (const { id, dependencies } of workItems) {
    const unknown = dependencies.find((dependency) => !known.has(dependency))
    if (unknown !== undefined) {
      throw badFork('workItems', `"${id}" depends on "${unknown}", which is neither accepted nor in the new plan`)
    }
  }
  const errors = graphErrors(workItems, keptWorkItemIds)
  if (errors.length > 0) throw new DuologError('INVALID_ARGUMENT', errors.join('; '))
}

/** `models.worker` and a value, one after the other, into the settings as they were; then all is checked as a whole. */
function changedSettings(settings: SessionSettings, changes: Readonly<Record<string, unknown>>): SessionSettings {
  const changed: Record<string, unknown> = structuredClone(settings)
  const byPurpose = Object.keys(changes).some((path) => path.startsWith('inDoubt.'))
  // So that a change of one leaves the others as they were.
  if (byPurpose) changed.inDoubt = doubtPolicies(settings)
  for (const [path, value] of Object.entries(changes)) put(changed, path.split('.'), value)
  return checked<SessionSettings>('settings', settingsSchema, changed)
}

function put(target: Record<string, unknown>, [name = '', ...rest]: readonly string[], value: unknown): void {
  if (name === '__proto__') throw badFork('settings', '"__proto__" is no setting')
  if (rest.length === 0) {
    if (value === null) delete target[name]
    else target[name] = value
    return
  }
  const inner = target[name]
  const next = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
  target[name] = next
  put(next, rest, value)
}

function changesOf({ task, workDir, settings = {}, workItems }: ForkChanges): string[] {
  return [
    ...(task === undefined ? [] : ['task']),
    ...(workDir === undefined ? [] : ['workDir']),
    ...Object.entries(settings).map(([path, value]) => `settings.${path}=${JSON.stringify(value)}`),
    ...(workItems === undefined ? [] : [`plan of ${workItems.length} work items`]),
  ]
}

function newPlan({ workItems }: ForkChanges): SessionEvent[] {
  if (workItems === undefined) return []
  const created = workItems.map(({ id, ...planned }): SessionEventData['WorkItemCreated'] => ({
    workItemId: id,
    ...planned,
  }))
  return planEvents('caller', '', created)
}

function withConsequences(events: readonly SessionEvent[], base: SessionState, nowMs: number): SessionEvent[] {
  return [...events, ...settle(events.reduce(evolveSession, base), nowMs).events]
}

function badFork(field: string, problem: string): DuologError {
  return new DuologError('INVALID_ARGUMENT', `${field}: ${problem}`)
}

/** The version of `ancestor` up to which a session, a fork of it or of a fork of it, shares its history; nothing: it does not. */
export async function descendsFrom(
  store: EventStore,
  sessionId: string,
  ancestor: string,
): Promise<number | undefined> {
  for await (const event of sessionStore(store).readStream(sessionId, { maxCount: 1 })) {
    if (event.type !== 'SessionForked') return undefined
    const { from, atVersion } = event.data
    return from === ancestor ? atVersion : descendsFrom(store, from, ancestor)
  }
  return undefined
}
