import type { PaidFor, ToolCall } from '../executor.ts'
import { type GateVerdictResult, type Plan, parseGateVerdict, parsePlan, parseReview } from '../structured-output.ts'
import { purposeOfCall } from './budget.ts'
import type { CallObservation, GateReport, SessionCommand } from './commands.ts'
import { planEvents } from './plan-events.ts'
import type { SessionEvent, SessionEventData } from './schemas.ts'
import { type CallState, isEnded, type SessionState } from './state.ts'

/* P1: pure. P7: a call has exactly one outcome. P8: whoever lost its claim changes nothing. */

type Command<Kind extends SessionCommand['kind']> = Extract<SessionCommand, { kind: Kind }>
export type Report = Command<
  'complete' | 'complete-gate' | 'report-failure' | 'report-cancelled' | 'report-unaffordable'
>

/** What a report by whoever ran the call means; refused, and shown, when its claim is no longer its own (P8). */
export function report(command: Report, call: CallState, state: SessionState): readonly SessionEvent[] {
  const holds = call.epoch === command.epoch && call.owner === command.owner
  if (holds && call.status === 'claimed') return outcome(command, call, state)
  const repeated = holds && call.status !== 'in-doubt'
  return repeated || call.lateReport ? [] : [refusedReport(command)]
}

function refusedReport(command: Report): SessionEvent {
  const { callId, epoch, owner } = command
  const reported = (
    {
      complete: 'completed',
      'complete-gate': 'completed',
      'report-failure': 'failed',
      'report-cancelled': 'cancelled',
      'report-unaffordable': 'cancelled',
    } as const
  )[command.kind]
  return {
    type: 'AgentCallReportRefused',
    data: { callId, epoch, owner, reported, ...costOf(knownOf(command)), ...usageOf(knownOf(command)) },
  }
}

/** A gate costs nothing, nor does what never began. */
function knownOf(command: Report): PaidFor {
  if (command.kind === 'complete') return command.result
  if (command.kind === 'complete-gate' || command.kind === 'report-unaffordable') return { costUsd: 0 }
  return command.kind === 'report-cancelled' && command.unbegun ? { costUsd: 0 } : (command.paidFor ?? {})
}

function costOf({ costUsd, costUnknown }: PaidFor): { costUsd: number; costUnknown?: true } {
  return costUsd === undefined || costUnknown ? { costUsd: costUsd ?? 0, costUnknown: true } : { costUsd }
}

function usageOf({ usage }: PaidFor) {
  return usage === undefined ? {} : { usage: { ...usage } }
}

function outcome(command: Report, call: CallState, state: SessionState): SessionEvent[] {
  const { callId, epoch } = command
  switch (command.kind) {
    case 'complete':
      return [
        completed(command),
        ...toolCalls(callId, command.result),
        ...(isEnded(state) ? [] : consequences(command, call, state)),
      ]
    case 'complete-gate':
      return [gateCompleted(command), ...(isEnded(state) ? [] : [gateResult(command.gate, call, state)])]
    case 'report-failure':
      return [failed(command), ...toolCalls(callId, command.paidFor ?? {}), ...overspent(command, call, state)]
    case 'report-cancelled':
      return [{ type: 'AgentCallCancelled', data: cancelled(command) }, ...toolCalls(callId, command.paidFor ?? {})]
    case 'report-unaffordable':
      return [
        { type: 'AgentCallCancelled', data: { callId, epoch, reason: 'the pool lacks the means', unbegun: true } },
        ...(isEnded(state) ? [] : [{ type: 'BudgetExceeded', data: command.exceeded } as const]),
      ]
  }
}

/** The outcome stands first, because with it an append may be parted (F3). */
function toolCalls(callId: string, { toolCalls = [] }: { readonly toolCalls?: readonly ToolCall[] }): SessionEvent[] {
  return toolCalls.map((call) => ({ type: 'AgentToolCalled', data: { ...call, callId, count: call.count ?? 1 } }))
}

function cancelled(command: Command<'report-cancelled'>): SessionEventData['AgentCallCancelled'] {
  const { callId, epoch, reason, stopMs, unbegun, paidFor: { costUsd, costUnknown, usage } = {} } = command
  return {
    callId,
    epoch,
    reason,
    ...(stopMs === undefined ? {} : { stopMs }),
    ...(unbegun && { unbegun }),
    ...digestOf(command),
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(costUnknown && { costUnknown }),
    ...usageOf({ ...(usage && { usage }) }),
  }
}

/** It stopped at what it may spend itself: the session waits for money, as it does when the next call does not fit. */
function overspent(command: Command<'report-failure'>, call: CallState, state: SessionState): SessionEvent[] {
  if (command.because !== 'budget' || isEnded(state)) return []
  const { costUsd: spent = 0 } = command.paidFor ?? {}
  const { reservedUsd: max = spent } = call
  const purpose = purposeOfCall(call)
  return [{ type: 'BudgetExceeded', data: { limit: 'call', max, spent, reserved: 0, needed: spent, purpose } }]
}

function digestOf({ requestDigest, promptVersion }: CallObservation) {
  return {
    ...(requestDigest === undefined ? {} : { requestDigest }),
    ...(promptVersion === undefined ? {} : { promptVersion }),
  }
}

function completed(command: Command<'complete'>): SessionEvent {
  const { callId, epoch, result, durationMs } = command
  const { output, structured, executorSessionId, artifacts, fullOutputChars, outputRef, changes } = result
  return {
    type: 'AgentCallCompleted',
    data: {
      callId,
      epoch,
      output,
      ...costOf(result),
      durationMs,
      ...digestOf(command),
      ...(changes === undefined ? {} : { changes: { ...changes, files: [...changes.files] } }),
      ...(fullOutputChars === undefined ? {} : { fullOutputChars }),
      ...(outputRef === undefined ? {} : { outputRef: { ...outputRef } }),
      ...(structured === undefined
        ? {}
        : { structured: structured as SessionEventData['AgentCallCompleted']['structured'] }),
      ...usageOf(result),
      ...(executorSessionId === undefined ? {} : { executorSessionId }),
      ...(artifacts === undefined ? {} : { artifacts: [...artifacts] }),
    },
  }
}

function failed(command: Command<'report-failure'>): SessionEvent {
  const { callId, epoch, error, retryable, retryAt, because, paidFor = {}, durationMs } = command
  const { executorSessionId } = paidFor
  return {
    type: 'AgentCallFailed',
    data: {
      callId,
      epoch,
      error,
      retryable,
      ...(because === undefined ? {} : { because }),
      ...costOf(paidFor),
      durationMs,
      ...digestOf(command),
      ...(retryAt === undefined ? {} : { retryAt }),
      ...usageOf(paidFor),
      ...(executorSessionId === undefined ? {} : { executorSessionId }),
    },
  }
}

function gateCompleted({ callId, epoch, gate, durationMs }: Command<'complete-gate'>): SessionEvent {
  return { type: 'AgentCallCompleted', data: { callId, epoch, output: gate.explanation, costUsd: 0, durationMs } }
}

function consequences({ result }: Command<'complete'>, call: CallState, state: SessionState): SessionEvent[] {
  const { callId, attempt, workItemId } = call
  if (call.purpose === 'gate') return [reviewedGate(parseGateVerdict(result), call, state)]
  if (call.purpose === 'plan') return planConsequences(parsePlan(result), callId, attempt)
  if (workItemId === undefined) return []
  if (call.purpose === 'work') return [{ type: 'TaskCompleted', data: { workItemId, attempt, callId } }]
  const parsed = parseReview(result)
  if (!parsed.ok) return [{ type: 'ReviewRejected', data: { workItemId, attempt, callId, errors: parsed.errors } }]
  return [{ type: 'TaskReviewed', data: { workItemId, attempt, callId, ...parsed.review } }]
}

function planConsequences(parsed: ReturnType<typeof parsePlan>, callId: string, attempt: number): SessionEvent[] {
  if (!parsed.ok) return [{ type: 'PlanRejected', data: { callId, attempt, errors: parsed.errors } }]
  return planEvents(callId, parsed.plan.strategy, parsed.plan.workItems.map(asWorkItem))
}

function asWorkItem({ id, ...planned }: Plan['workItems'][number]): SessionEventData['WorkItemCreated'] {
  return { workItemId: id, ...planned }
}

function reviewedGate(parsed: GateVerdictResult, call: CallState, state: SessionState): SessionEvent {
  if (parsed.ok) return gateResult(parsed.verdict, call, state)
  const { callId, attempt, workItemId, gateId = '' } = call
  const of = workItemId === undefined ? {} : { workItemId }
  return { type: 'ReviewRejected', data: { ...of, gateId, attempt, callId, errors: parsed.errors } }
}

/** As the evaluator answered; only a score below the gate's threshold fails what it passed. */
function gateResult(gate: GateReport, call: CallState, state: SessionState): SessionEvent {
  const { callId, attempt, workItemId, gateId = '' } = call
  const { mandatory = true, minScore = 0 } = state.settings.gates.find((each) => each.gateId === gateId) ?? {}
  const { passed, score, label, explanation, evidence } = gate
  return {
    type: 'QualityGateResult',
    data: {
      ...(workItemId === undefined ? {} : { workItemId }),
      attempt,
      callId,
      gateId,
      mandatory,
      passed: passed && score >= minScore,
      score,
      explanation,
      ...(minScore === 0 ? {} : { minScore }),
      ...(label === undefined ? {} : { label }),
      ...(evidence === undefined ? {} : { evidence }),
    },
  }
}
