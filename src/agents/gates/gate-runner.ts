/*
 * Runs whatever judges a gate. A verdict counts exactly as it is given; one that is no verdict is an error, not a pass.
 */
import * as z from 'zod'
import { DuologError } from '../../core/errors.ts'
import { messageOf } from '../../core/message-of.ts'
import { aFunction, checkOptions, eachOf, optional } from '../check-options.ts'
import { headAndTail } from '../executors/captured-text.ts'
import { check } from '../explain-issues.ts'
import { createRedactor } from '../redact.ts'
import type { GateReport } from '../session/commands.ts'
import type { QualityGate } from '../session/gate-settings.ts'
import { commandGate, type GateContext } from './command-gate.ts'

/** Judges for a gate; rejects only when that was not possible at all. */
export type GateRunner = (gate: QualityGate, context: GateContext) => Promise<GateReport>

/** What a custom gate function answers. */
export interface GateAnswer {
  /** Default: whether the score reaches the gate's `minScore`; needed where the gate has none. */
  readonly passed?: boolean
  /** 0 to 1. */
  readonly score: number
  readonly label?: string
  readonly explanation: string
  /** Goes to the Worker when the gate rejects; shortened to 8,000 characters. */
  readonly evidence?: string
}

/** A gate of your own: looks at the work and answers. Should stop when the signal fires. */
export type GateFunction = (context: GateContext) => GateAnswer | Promise<GateAnswer>

const MAX_EVIDENCE_CHARS = 8_000
const MAX_EXPLANATION_CHARS = 2_000
const MAX_LABEL_CHARS = 100

const answerSchema = z.object({
  passed: z.boolean().optional(),
  score: z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1'),
  label: z.string().max(MAX_LABEL_CHARS).optional(),
  explanation: z.string(),
  evidence: z.string().optional(),
})

/** Runs commands in the work directory, and the functions given here by the name a gate calls them. */
export function gateRunner(options: { readonly functions?: Readonly<Record<string, GateFunction>> } = {}): GateRunner {
  checkOptions('options of gateRunner', options, { functions: optional(eachOf(aFunction)) })
  return async (gate, context) => {
    if (gate.command !== undefined) return commandGate(gate, context)
    const judge = options.functions?.[gate.function ?? '']
    if (judge === undefined) throw noFunction(gate)
    return functionGate(gate, judge, context)
  }
}

function noFunction({ gateId, function: name }: QualityGate): DuologError {
  return new DuologError(
    'EXECUTOR_INVALID',
    `Quality gate "${gateId}" wants the function "${name}", which this process was not given: name it in gateFunctions.`,
  )
}

/**
 * Fails (score 0) when the function takes longer than `gate.timeoutMs`; its signal fires then.
 * @throws EXECUTOR_FAILED when it throws, EXECUTOR_INVALID when its answer is none; ABORTED when the signal fires
 */
export async function functionGate(gate: QualityGate, judge: GateFunction, context: GateContext): Promise<GateReport> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), gate.timeoutMs)
  const signal = AbortSignal.any([limit.signal, context.signal])
  try {
    const answer = await Promise.race([ask(gate, judge, { ...context, signal }), stopped(signal)])
    if (answer !== undefined) return read(gate, answer)
    if (context.signal.aborted) throw aborted(gate, context)
    return { passed: false, score: 0, explanation: `did not answer within ${gate.timeoutMs} ms` }
  } finally {
    clearTimeout(timer)
  }
}

async function ask({ gateId }: QualityGate, judge: GateFunction, context: GateContext): Promise<unknown> {
  try {
    return (await judge(context)) ?? null
  } catch (cause) {
    const said = messageOf(cause)
    throw new DuologError('EXECUTOR_FAILED', `Quality gate "${gateId}" threw: ${createRedactor()(said)}`, {
      cause,
      retry: { afterMs: 1_000 },
    })
  }
}

function stopped(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

function aborted({ gateId }: QualityGate, { signal }: GateContext): DuologError {
  return new DuologError('ABORTED', `Quality gate "${gateId}" was stopped.`, { cause: signal.reason })
}

function read(gate: QualityGate, answer: unknown): GateReport {
  const checked = check(answerSchema, answer)
  if (!checked.ok) throw noAnswer(gate, checked.errors)
  const { passed, score, label, explanation, evidence } = checked.value
  if (passed === undefined && gate.minScore === 0)
    throw noAnswer(gate, ['passed: is missing, and the gate has no minScore'])
  return withBoundedTexts({
    passed: passed ?? score >= gate.minScore,
    score,
    explanation,
    ...(label !== undefined && { label }),
    ...(evidence !== undefined && { evidence }),
  })
}

/** A verdict as given, with texts an event can hold and no secret in them. */
export function withBoundedTexts(report: GateReport): GateReport {
  const { label, explanation, evidence } = report
  const redact = createRedactor()
  return {
    ...report,
    explanation: redact(headAndTail(explanation, MAX_EXPLANATION_CHARS)),
    ...(label !== undefined && { label: redact(headAndTail(label, MAX_LABEL_CHARS)) }),
    ...(evidence !== undefined && { evidence: redact(headAndTail(evidence, MAX_EVIDENCE_CHARS)) }),
  }
}

function noAnswer({ gateId }: QualityGate, errors: readonly string[]): DuologError {
  return new DuologError(
    'EXECUTOR_INVALID',
    `Quality gate "${gateId}" gave no verdict: ${errors.join('; ')}. A gate function answers { passed, score, explanation, label?, evidence? }.`,
  )
}
