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
  /** While writers were killed and nothing else happened, once the brokers were warm. */
  readonly afterDeath: AfterDeath
  /** The same while the brokers, just started, were not yet; nothing of it in a short run. */
  readonly whileCold: AfterDeath
  readonly longestMs: number
  /** The longest that began during a fault, or within 5 s after it. */
  readonly byFault: Readonly<Partial<Record<FaultKind, number>>>
}

export interface AfterDeath {
  readonly deaths: number
  readonly medianMs: number
  readonly longestMs: number
}

const SHOWN_VIOLATIONS = 20
const AFTERMATH_MS = 5000
const DEATH_WINDOW_MS = 1000
/** Java compiles a broker's code while it runs: for so long after its start everything is slow, deaths or not. */
const COLD_MS = 15_000
/** Shorter than that, the calm part of a run is measured whole. */
const LEAST_CALM_MS = 2 * COLD_MS

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
  const endMs = log.calmUntilMs - DEATH_WINDOW_MS
  const warmMs = log.calmUntilMs - log.fromMs < LEAST_CALM_MS ? log.fromMs : log.fromMs + COLD_MS
  const during = (fromMs: number, toMs: number): AfterDeath => {
    const calm = stalls.filter((stall) => stall.fromMs >= fromMs && stall.fromMs < toMs)
    const deaths = log.kills.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
    const medianMs = median(afterDeaths(calm, deaths, DEATH_WINDOW_MS))
    return { deaths: deaths.length, medianMs, longestMs: longest(calm) }
  }
  const of = (kind: FaultKind) =>
    log.faults
      .filter((fault) => fault.kind === kind)
      .map(({ fromMs, toMs }) =>
        longest(stalls.filter((stall) => stall.fromMs <= toMs + AFTERMATH_MS && stall.toMs >= fromMs)),
      )
  return {
    afterDeath: during(warmMs, endMs),
    whileCold: during(log.fromMs, warmMs),
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
    `the same while the brokers were just started: ${stalls.whileCold.longestMs} ms (${stalls.whileCold.deaths} deaths)`,
    `longest stall at all: ${stalls.longestMs} ms; by fault: ${longestBy}`,
    ...(violationCount > 0 ? [`BROKEN PROMISES: ${violationCount}`] : ['every promise was kept']),
    ...violations.map(({ kind, what }) => `  ${kind}: ${what}`),
    ...(report.evidence ? [`journals and findings: ${report.evidence}`] : []),
  ].join('\n')
}
