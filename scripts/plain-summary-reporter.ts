import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/** Ends a test run with one plain line, `N passed, N failed, N skipped`. A file that does not load counts as one failure. */
export default class PlainSummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      if (module.errors().length > 0) count.failed++
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) count.failed++
      for (const test of module.children.allTests()) count[test.result().state]++
    }
    const line = `${count.passed} passed, ${count.failed + count.pending} failed, ${count.skipped} skipped\n`
    process.once('exit', () => process.stdout.write(line))
  }
}
