import type { CampaignOptions } from './campaign.ts'
import type { Counts, Evidence, Violation } from './check.ts'
import type { FaultLog } from './faults.ts'
import { FAULT_KINDS, type FaultKind } from './schedule.ts'
import { afterDeaths, longest, median, type Stall, stallsOf } from './stalls.ts'
import type { WriterProcess } from './writers.ts'

/* What a campaign has to say, for machines and for people. */

export const STALL_GOAL_MS = 1000

export interface Report {
  readonly seed: string
  readonly brokers: number
  readonly driver: string
  readonly seconds: number
  readonly counts: Counts
  readonly kills: number
  readonly lives: number
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly stalls: Stalls
  /** The first of them; `violationCount` says how many there are. */
  readonly violations: readonly Violation[]
  readonly violationCount: number
  /** Where journals and what was found are kept. */
  readonly evidence?: string
}

export interface Stalls {
  /** While writers were killed and nothing else happened. */
  readonly afterDeath: { readonly deaths: number; readonly medianMs: number; readonly longestMs: number }
  readonly longestMs: number
  /** The longest that began during a fault, or within 5 s after it. */
  readonly byFault: Readonly<Partial<Record<FaultKind, number>>>
}

const SHOWN_VIOLATIONS = 20
const AFTERMATH_MS = 5000
const DEATH_WINDOW_MS = 1000

export interface ReportParts {
  readonly run: CampaignOptions
  readonly log: FaultLog
  readonly writers: readonly WriterProcess[]
  readonly evidence: Evidence
  readonly counts: Counts
  readonly violations: readonly Violation[]
}

export function reportOf({ run, log, writers, evidence, counts, violations }: ReportParts): Report {
  const partitionOf = new Map(evidence.events.map(({ stream, partition }) => [stream, partition]))
  const records = writers.map(({ freezes }, index) => ({ freezes, lines: evidence.journals[index] ?? [] }))
  const stalls = stallsOf(records, partitionOf).filter(({ fromMs }) => fromMs >= log.fromMs)
  return {
    seed: run.seed,
    brokers: run.brokers,
    driver: run.driver ?? 'kafkajs',
    seconds: Math.round(run.totalMs / 1000),
    counts,
    kills: log.kills.length,
    lives: writers.reduce((sum, { lives }) => sum + lives, 0),
    faults: perKind((kind) => log.faults.filter((fault) => fault.kind === kind).length),
    stalls: summary(stalls, log),
    violations: violations.slice(0, SHOWN_VIOLATIONS),
    violationCount: violations.length,
  }
}

function perKind<T>(countOf: (kind: FaultKind) => T): Record<FaultKind, T> {
  return Object.fromEntries(FAULT_KINDS.map((kind) => [kind, countOf(kind)])) as Record<FaultKind, T>
}

function summary(stalls: readonly Stall[], log: FaultLog): Stalls {
  const calm = stalls.filter(({ fromMs }) => fromMs < log.calmUntilMs - DEATH_WINDOW_MS)
  const deaths = log.kills.filter(({ atMs }) => atMs < log.calmUntilMs - DEATH_WINDOW_MS)
  const lengths = afterDeaths(calm, deaths, DEATH_WINDOW_MS)
  const of = (kind: FaultKind) =>
    log.faults
      .filter((fault) => fault.kind === kind)
      .map(({ fromMs, toMs }) =>
        longest(stalls.filter((stall) => stall.fromMs <= toMs + AFTERMATH_MS && stall.toMs >= fromMs)),
      )
  return {
    afterDeath: { deaths: deaths.length, medianMs: median(lengths), longestMs: longest(calm) },
    longestMs: longest(stalls),
    byFault: perKind((kind) => Math.max(0, ...of(kind))),
  }
}

export function explain(report: Report): string {
  const { counts, faults, stalls, violations, violationCount } = report
  const done = FAULT_KINDS.map((kind) => `${kind} ${faults[kind]}`).join(', ')
  const longestBy = FAULT_KINDS.map((kind) => `${kind} ${stalls.byFault[kind]}`).join(', ')
  return [
    `chaos on Kafka: ${report.brokers} broker(s), ${report.driver}, ${report.seconds} s, seed ${report.seed}`,
    `faults: ${report.kills} writers killed, ${done}`,
    `asked ${counts.asked}, acknowledged ${counts.acknowledged}, found ${counts.found}, refused ${counts.refused}, unanswered ${counts.unanswered}`,
    `lost ${counts.lost}, repeated ${counts.repeated}, refused but found ${counts.refusedButFound}`,
    `longest stall after a writer's death, nothing else broken: ${stalls.afterDeath.longestMs} ms (${stalls.afterDeath.deaths} deaths, median ${stalls.afterDeath.medianMs} ms; goal under ${STALL_GOAL_MS})`,
    `longest stall at all: ${stalls.longestMs} ms; by fault: ${longestBy}`,
    ...(violationCount > 0 ? [`BROKEN PROMISES: ${violationCount}`] : ['every promise was kept']),
    ...violations.map(({ kind, what }) => `  ${kind}: ${what}`),
    ...(report.evidence ? [`journals and findings: ${report.evidence}`] : []),
  ].join('\n')
}
