import type { Evidence, JournalLine, RawEvent } from './evidence.ts'

/*
 * The judge of a chaos run: a pure function of the evidence. It knows the names of the events and nothing else of the
 * package, so that a mistake in the product cannot excuse itself here.
 *
 * lost: something acknowledged is not there. repeated: something happened twice and the log does not say so.
 * unrecorded: something happened that the log does not know. not-completed: the session did not end as it should.
 */

export type ViolationKind = 'lost' | 'repeated' | 'unrecorded' | 'not-completed'

export interface Violation {
  readonly kind: ViolationKind
  readonly what: string
}

export interface Verdict {
  readonly violations: readonly Violation[]
  /** Calls nobody knew the outcome of, each shown as such. */
  readonly inDoubt: number
  /** Among them those whose owner had not been killed: safe, but paid for nothing. */
  readonly doubtsOfLiving: number
  /** Executions that really began. */
  readonly executions: number
  /** The longest time from a kill to the session's next event, milliseconds; kills after its last event do not count. */
  readonly longestResumeMs: number
}

export function checkSession(evidence: Evidence): Verdict {
  const events = evidence.log.events
  const calls = callsOf(events)
  const starts = evidence.journal.filter(({ phase }) => phase === 'start')
  const inDoubt = [...calls.values()].filter((call) => outcomeOf(call) === 'in-doubt')
  const violations = [
    ...checkVersions(events),
    ...checkAcknowledged(evidence),
    ...checkOnceFacts(events),
    ...[...calls.values()].flatMap(checkCall),
    ...checkEpochs(events),
    ...checkTasks(evidence, calls),
    ...checkJournal(evidence.journal, calls),
    ...checkRepetitions(starts, calls),
    ...checkSuccessors(inDoubt, calls),
    ...checkEnd(evidence, calls),
  ]
  return {
    violations,
    inDoubt: inDoubt.length,
    doubtsOfLiving: inDoubt.filter((call) => !evidence.kills.some(({ pid }) => pid === call.claims[0]?.pid)).length,
    executions: starts.length,
    longestResumeMs: longestResumeMs(evidence),
  }
}

function longestResumeMs({ log, kills }: Evidence): number {
  const times = log.events.map(({ timestamp }) => Date.parse(timestamp))
  const waits = kills.flatMap(({ atMs }) => {
    const next = times.find((time) => time >= atMs)
    return next === undefined ? [] : [next - atMs]
  })
  return Math.max(0, ...waits)
}

type Outcome = 'completed' | 'failed' | 'cancelled' | 'in-doubt'

interface Call {
  readonly callId: string
  readonly role: string
  readonly predecessor?: string
  readonly reservedAt: readonly number[]
  readonly claims: readonly { readonly version: number; readonly pid: number }[]
  readonly outcomes: readonly { readonly version: number; readonly outcome: Outcome }[]
}

const outcomes: Readonly<Record<string, Outcome>> = {
  AgentCallCompleted: 'completed',
  AgentCallFailed: 'failed',
  AgentCallCancelled: 'cancelled',
  AgentCallInDoubt: 'in-doubt',
}

function callsOf(events: readonly RawEvent[]): Map<string, Call> {
  const calls = new Map<string, Call>()
  for (const { type, data, version } of events) {
    const callId = String(data.callId)
    const call = calls.get(callId) ?? { callId, role: '', reservedAt: [], claims: [], outcomes: [] }
    const outcome = outcomes[type]
    if (type === 'AgentCallReserved') calls.set(callId, reserved(call, data, version))
    if (type === 'AgentCallClaimed') {
      calls.set(callId, { ...call, claims: [...call.claims, { version, pid: pidOf(String(data.owner)) }] })
    }
    if (outcome) calls.set(callId, { ...call, outcomes: [...call.outcomes, { version, outcome }] })
  }
  return calls
}

function reserved(call: Call, data: RawEvent['data'], version: number): Call {
  const predecessor = typeof data.predecessor === 'string' ? { predecessor: data.predecessor } : {}
  return { ...call, ...predecessor, role: String(data.role), reservedAt: [...call.reservedAt, version] }
}

/** Owners are named after what they are and their process: `coordinator-4711-1a2b3c4d`. */
function pidOf(owner: string): number {
  return Number(/-(\d+)-[^-]*$/.exec(owner)?.[1] ?? Number.NaN)
}

function outcomeOf(call: Call): Outcome | undefined {
  return call.outcomes[0]?.outcome
}

function violation(kind: ViolationKind, what: string): Violation {
  return { kind, what }
}

/** P3: 1, 2, 3 … in the order of the log. */
function checkVersions(events: readonly RawEvent[]): Violation[] {
  const found: Violation[] = []
  const ids = new Set<string>()
  let last = 0
  for (const { version, eventId, type } of events) {
    if (version > last + 1) found.push(violation('lost', `after version ${last} comes ${version} (${type})`))
    if (version <= last) found.push(violation('repeated', `after version ${last} comes ${version} (${type}) again`))
    if (ids.has(eventId)) found.push(violation('repeated', `event id ${eventId} (${type}) stands in the log twice`))
    ids.add(eventId)
    last = Math.max(last, version)
  }
  return found
}

/** P4: what a process was told is in the log stands there, where it was told. */
function checkAcknowledged({ appends, log }: Evidence): Violation[] {
  const typeAt = new Map(log.events.map(({ version, type }) => [version, type]))
  return appends.flatMap(({ firstVersion, types }) =>
    types.flatMap((type, index) => {
      const version = firstVersion + index
      const found = typeAt.get(version)
      if (found === type) return []
      return [violation('lost', `${type} was acknowledged at version ${version}, where there is ${found ?? 'nothing'}`)]
    }),
  )
}

/** Facts that can only be once, and what makes two of them the same. */
const onceFacts: Readonly<Record<string, readonly string[]>> = {
  SessionCreated: [],
  PlanProposed: [],
  SessionCompleted: [],
  WorkItemCreated: ['workItemId'],
  WorkItemAccepted: ['workItemId'],
  TaskAssigned: ['workItemId', 'attempt'],
  TaskCompleted: ['workItemId', 'attempt'],
  TaskReviewed: ['workItemId', 'attempt'],
  RevisionRequested: ['workItemId', 'attempt'],
  QualityGateResult: ['workItemId', 'attempt', 'gateId'],
  ApprovalRequested: ['approvalId'],
  ApprovalGiven: ['approvalId'],
}

function checkOnceFacts(events: readonly RawEvent[]): Violation[] {
  const facts = events.flatMap(({ type, data }) => {
    const key = onceFacts[type]
    return key === undefined ? [] : [[type, ...key.map((name) => String(data[name]))].join(' ')]
  })
  return duplicates(facts).map((fact) => violation('repeated', `${fact} happened twice`))
}

function duplicates(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))]
}

/** P7: one reservation, at most one claim, exactly one outcome, in this order. */
function checkCall({ callId, reservedAt, claims, outcomes }: Call): Violation[] {
  const found: Violation[] = []
  if (reservedAt.length === 0) found.push(violation('unrecorded', `call ${callId} was never reserved`))
  if (reservedAt.length > 1) found.push(violation('repeated', `call ${callId} was reserved ${reservedAt.length} times`))
  if (claims.length > 1) found.push(violation('repeated', `call ${callId} was claimed ${claims.length} times`))
  if (outcomes.length > 1) {
    const names = outcomes.map(({ outcome }) => outcome).join(', ')
    found.push(violation('repeated', `call ${callId} has ${outcomes.length} outcomes: ${names}`))
  }
  if (claims.length > 0 && outcomes.length === 0) found.push(violation('lost', `call ${callId} has no outcome`))
  if (outcomes[0] && outcomes[0].outcome !== 'cancelled' && claims.length === 0) {
    found.push(violation('unrecorded', `call ${callId} is ${outcomes[0].outcome}, and nobody had claimed it`))
  }
  return [...found, ...checkOrder(callId, [reservedAt[0], claims[0]?.version, outcomes[0]?.version])]
}

function checkOrder(callId: string, versions: readonly (number | undefined)[]): Violation[] {
  const known = versions.filter((version) => version !== undefined)
  const inOrder = known.every((version, index) => index === 0 || version > known[index - 1]!)
  return inOrder ? [] : [violation('unrecorded', `call ${callId}: its facts stand at versions ${known.join(', ')}`)]
}

/** P8 rests on epochs that only grow. */
function checkEpochs(events: readonly RawEvent[]): Violation[] {
  const epochs = events.filter(({ type }) => type === 'AgentCallClaimed').map(({ data }) => Number(data.epoch))
  return epochs.every((epoch, index) => index === 0 || epoch > epochs[index - 1]!)
    ? []
    : [violation('repeated', `epochs of claims do not grow: ${epochs.join(', ')}`)]
}

/** P2: a reservation and its task message left together, once; of a local session there is none. */
function checkTasks({ log }: Evidence, calls: ReadonlyMap<string, Call>): Violation[] {
  const sent = log.tasks.map(({ callId }) => callId)
  if (isLocal(log.events[0]))
    return sent.map((callId) => violation('unrecorded', `a task was sent for call ${callId} of a local session`))
  const missing = [...calls.values()].filter(
    ({ callId, reservedAt }) => reservedAt.length > 0 && !sent.includes(callId),
  )
  return [
    ...missing.map(({ callId }) => violation('lost', `call ${callId} was reserved, and its task never sent`)),
    ...duplicates(sent).map((callId) => violation('repeated', `the task of call ${callId} was sent twice`)),
    ...sent
      .filter((callId) => !calls.get(callId)?.reservedAt.length)
      .map((callId) => violation('unrecorded', `a task was sent for call ${callId}, which was never reserved`)),
  ]
}

function isLocal(created: RawEvent | undefined): boolean {
  return (created?.data.settings as { readonly dispatch?: unknown } | undefined)?.dispatch === 'local'
}

/** The journal against the log: who really executed had claimed, and what the log calls completed was executed. */
function checkJournal(journal: readonly JournalLine[], calls: ReadonlyMap<string, Call>): Violation[] {
  const starts = journal.filter(({ phase }) => phase === 'start')
  return [
    ...duplicates(starts.map(({ callId }) => callId)).map((callId) =>
      violation('repeated', `call ${callId} was executed twice under one id`),
    ),
    ...starts.flatMap((line) => checkStart(line, calls.get(line.callId))),
    ...[...calls.values()].flatMap((call) => checkAnswered(call, journal)),
  ]
}

function checkStart({ callId, pid }: JournalLine, call: Call | undefined): Violation[] {
  const claim = call?.claims[0]
  if (claim === undefined) return [violation('unrecorded', `call ${callId} was executed without a claim`)]
  if (claim.pid === pid) return []
  return [violation('unrecorded', `call ${callId} was executed by process ${pid}; ${claim.pid} had claimed it`)]
}

/** How an execution must have ended for its call to have this outcome; nobody knows how one in doubt ended. */
const endsOf = {
  completed: ['done'],
  failed: ['failed'],
  cancelled: ['failed', 'done'],
} as const satisfies Partial<Record<Outcome, readonly JournalLine['outcome'][]>>

function checkAnswered(call: Call, journal: readonly JournalLine[]): Violation[] {
  const outcome = outcomeOf(call)
  const lines = journal.filter(({ callId }) => callId === call.callId)
  const neverBegun = outcome === 'cancelled' && lines.length === 0
  if (call.role === 'gate' || outcome === undefined || outcome === 'in-doubt' || neverBegun) return []
  const possible: readonly JournalLine['outcome'][] = endsOf[outcome]
  const ends = lines.filter(({ phase }) => phase === 'end').map((end) => end.outcome)
  if (ends.some((end) => possible.includes(end))) return []
  const really = ends.length === 0 ? 'never came to an end' : `ended as ${ends.join(', ')}`
  return [violation('unrecorded', `the log says call ${call.callId} ${outcome}; its execution ${really}`)]
}

/** Whatever was executed for one purpose beside the answer that counts is shown in doubt, cancelled or failed. */
function checkRepetitions(starts: readonly JournalLine[], calls: ReadonlyMap<string, Call>): Violation[] {
  const purposes = Map.groupBy(starts, ({ purpose, workItemId = '', attempt }) => `${purpose} ${workItemId} ${attempt}`)
  return [...purposes].flatMap(([purpose, executed]) => {
    const silent = executed.filter(({ callId }) => !isExplained(calls.get(callId)))
    if (silent.length <= 1) return []
    const names = silent.map(({ callId }) => callId).join(', ')
    return [violation('repeated', `${purpose} was executed ${silent.length} times, unexplained: ${names}`)]
  })
}

function isExplained(call: Call | undefined): boolean {
  const outcome = call && outcomeOf(call)
  return outcome === 'in-doubt' || outcome === 'cancelled' || outcome === 'failed'
}

/** A call in doubt is followed by one that names it. */
function checkSuccessors(inDoubt: readonly Call[], calls: ReadonlyMap<string, Call>): Violation[] {
  const predecessors = new Set([...calls.values()].map(({ predecessor }) => predecessor))
  return inDoubt
    .filter(({ callId }) => !predecessors.has(callId))
    .map(({ callId }) => violation('not-completed', `call ${callId} is in doubt and nobody went on`))
}

function checkEnd({ undisturbed, log: { events } }: Evidence, calls: ReadonlyMap<string, Call>): Violation[] {
  const end = events.find(({ type }) => type === 'SessionCompleted')
  if (end === undefined) {
    return [violation('not-completed', `the log ends with ${events.at(-1)?.type ?? 'nothing'}, not SessionCompleted`)]
  }
  const late = events.filter(({ version, type }) => version > end.version && type !== 'AgentCallReportRefused')
  return [
    ...late.map(({ type, version }) => violation('repeated', `${type} came after the end, at version ${version}`)),
    ...checkItems(events, undisturbed.revisions),
    ...checkWorkerCalls(events, calls),
  ]
}

function checkItems(events: readonly RawEvent[], wanted: Readonly<Record<string, number>>): Violation[] {
  const accepted = itemsOf(events, 'WorkItemAccepted')
  const revised = itemsOf(events, 'RevisionRequested')
  const strangers = accepted.filter((id) => !(id in wanted))
  return [
    ...strangers.map((id) => violation('unrecorded', `${id} was accepted; an undisturbed run has no such item`)),
    ...Object.entries(wanted).flatMap(([id, revisions]) => {
      if (!accepted.includes(id)) return [violation('not-completed', `${id} was not accepted; undisturbed, it is`)]
      const really = revised.filter((one) => one === id).length
      if (really === revisions) return []
      return [violation('repeated', `${id} was revised ${really} times; undisturbed, ${revisions} times`)]
    }),
  ]
}

function itemsOf(events: readonly RawEvent[], type: string): string[] {
  return events.filter((event) => event.type === type).map(({ data }) => String(data.workItemId))
}

/** N accepted items cost N worker calls, one per revision, and those whose outcome says that they came to nothing. */
function checkWorkerCalls(events: readonly RawEvent[], calls: ReadonlyMap<string, Call>): Violation[] {
  const made = [...calls.values()].filter(({ role, claims }) => role === 'worker' && claims.length > 0)
  const inVain = made.filter(isExplained).length
  const wanted = itemsOf(events, 'WorkItemAccepted').length + itemsOf(events, 'RevisionRequested').length + inVain
  if (made.length === wanted) return []
  const what = `${made.length} worker calls; items, revisions and calls shown to have come to nothing make ${wanted}`
  return [violation('repeated', what)]
}
