/*
 * A quality gate that runs a command in the work directory. Its exit code is the verdict: nothing it prints can turn a
 * failure into a pass.
 */
import { realpath } from 'node:fs/promises'
import { DuologError } from '../../core/errors.ts'
import { inheritedEnvironment } from '../executors/process-environment.ts'
import { describeEnd, describeNotStarted, type ProcessEnd, runProcess } from '../executors/run-process.ts'
import { createRedactor } from '../redact.ts'
import type { GateReport } from '../session/commands.ts'
import type { QualityGate } from '../session/gate-settings.ts'

/** What a gate is run for, and where. */
export interface GateContext {
  readonly sessionId: string
  /** Absent when the session's result is judged. */
  readonly workItemId?: string
  readonly attempt: number
  readonly workDir: string
  readonly signal: AbortSignal
}

/** What of a gate its command needs. */
export type CommandGate = Pick<QualityGate, 'gateId' | 'command' | 'timeoutMs'>

/** What is kept of each of stdout and stderr: enough for a reviser to see what failed. */
const MAX_EVIDENCE_CHARS = 4_000

/**
 * Passes (score 1) when the command ends with exit code 0, and fails (score 0) when it ends with another one, is killed,
 * or takes longer than `gate.timeoutMs`. The command sees DUOLOG_SESSION_ID, DUOLOG_WORK_ITEM_ID, DUOLOG_ATTEMPT,
 * DUOLOG_GATE_ID and DUOLOG_WORK_DIR. Whatever it starts ends with it.
 *
 * `evidence` is what it printed (stdout, then stderr), each shortened in the middle to 4,000 characters, secrets redacted.
 *
 * @throws DuologError EXECUTOR_INVALID when the command cannot be started, WORKDIR_INVALID when the folder is missing:
 * neither says anything about the work; ABORTED when the signal fires
 */
export async function commandGate(gate: CommandGate, context: GateContext): Promise<GateReport> {
  const { gateId, timeoutMs } = gate
  const { sessionId, workItemId = '', attempt, workDir, signal } = context
  const [command = '', ...args] = gate.command ?? []
  const outcome = await runProcess({
    command,
    args,
    cwd: workDir,
    env: {
      ...inheritedEnvironment(),
      DUOLOG_SESSION_ID: sessionId,
      DUOLOG_WORK_ITEM_ID: workItemId,
      DUOLOG_ATTEMPT: String(attempt),
      DUOLOG_GATE_ID: gateId,
      DUOLOG_WORK_DIR: workDir,
    },
    signal,
    timeoutMs,
    maxCaptureChars: MAX_EVIDENCE_CHARS,
    identity: {
      sessionId,
      workDir: await realpath(workDir).catch(() => workDir),
      key: ['gate', workItemId, gateId].join('/'),
    },
  })
  if (outcome.kind === 'not-started') {
    const code = outcome.problem === 'no-folder' ? 'WORKDIR_INVALID' : 'EXECUTOR_INVALID'
    throw new DuologError(code, `Quality gate "${gateId}" cannot run: ${describeNotStarted(outcome, command)}.`, {
      cause: outcome.error,
    })
  }
  if (outcome.by === 'abort')
    throw new DuologError('ABORTED', `Quality gate "${gateId}" was stopped.`, { cause: signal.reason })
  return report(gate, outcome)
}

function report(gate: CommandGate, end: ProcessEnd): GateReport {
  const passed = end.by === 'itself' && end.exitCode === 0
  const redact = createRedactor()
  const printed = redact([end.stdout.text.trim(), end.stderr.text.trim()].filter((text) => text !== '').join('\n'))
  return {
    passed,
    score: passed ? 1 : 0,
    explanation: redact(`\`${(gate.command ?? []).join(' ')}\` ${explain(gate, end)}`),
    ...(printed === '' ? {} : { evidence: printed }),
  }
}

function explain(gate: CommandGate, end: ProcessEnd): string {
  if (end.by === 'time-limit') return `did not end within ${gate.timeoutMs} ms and was stopped`
  if (end.by === 'output-limit') return 'printed without end and was stopped'
  return describeEnd(end)
}
