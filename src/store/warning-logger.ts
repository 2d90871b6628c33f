import type { Logger } from '../core/logger.ts'

/** Where a program gave no logger: warnings and errors of a shared log go to stderr, one line each; the rest is silent. */
export const warningLogger: Logger = {
  debug() {},
  info() {},
  warn: (_fields, message) => void process.stderr.write(`duolog: warning: ${message}\n`),
  error: (_fields, message) => void process.stderr.write(`duolog: error: ${message}\n`),
}
