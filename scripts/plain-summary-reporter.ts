import { stripVTControlCharacters } from 'node:util'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/** What begins each line of what failed: `test.ts` says these once more at the very end, where they are found. */
export const FAILURE = 'FAILED | '
/** Lines told of one failure: what was expected and found, and where. */
const LINES = 25

type Failure = Pick<SerializedError, 'message' | 'stack'> & { readonly diff?: string | undefined }

/**
 * Ends a test run with what failed and one plain line, `N passed, N failed, N skipped`. A file that does not load counts
 * as one failure.
 */
export default class PlainSummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const failures = [...told('outside of any test', unhandled), ...modules.flatMap(failuresOf)]
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      if (module.errors().length > 0) count.failed++
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) count.failed++
      for (const test of module.children.allTests()) count[test.result().state]++
    }
    const verdict = `${count.passed} passed, ${count.failed + count.pending} failed, ${count.skipped} skipped`
    process.once('exit', () => process.stdout.write(`${[...failures, verdict].join('\n')}\n`))
  }
}

function failuresOf(module: TestModule): string[] {
  const where = module.relativeModuleId
  const suites = [...module.children.allSuites()].flatMap((suite) =>
    told(`${where} > ${suite.fullName}`, suite.errors()),
  )
  const tests = [...module.children.allTests()].flatMap((test) => {
    const { state, errors } = test.result()
    if (state === 'pending') return [`${FAILURE}${where} > ${test.fullName}`, `${FAILURE}  never ended`]
    return told(`${where} > ${test.fullName}`, errors ?? [])
  })
  return [...told(where, module.errors()), ...suites, ...tests]
}

function told(where: string, errors: readonly Failure[]): string[] {
  return errors.flatMap(({ message, stack = '', diff = '' }) => {
    const frames = stack.split('\n').filter((line) => /^\s+at /.test(line) && !line.includes('node_modules'))
    const lines = stripVTControlCharacters(`${message}\n${diff}`).split('\n').filter(Boolean).slice(0, LINES)
    return [where, ...[...lines, ...frames].map((line) => `  ${line}`)].map((line) => FAILURE + line)
  })
}
