/** Four levels of the form (fields, message), so that pino fits as it is. */
export interface Logger {
  /** What only someone looking for a fault wants to read. */
  debug(fields: object, message: string): void
  /** What happened, as it should. */
  info(fields: object, message: string): void
  /** What went wrong and was mended. */
  warn(fields: object, message: string): void
  /** What went wrong and needs somebody. */
  error(fields: object, message: string): void
}

/** Says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
