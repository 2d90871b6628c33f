/** The log that is used where nobody names one. */
export const DEFAULT_LOG = 'file:./.duolog/log.db'
