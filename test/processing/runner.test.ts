import { localLogs } from './logs.ts'
import { runnerSuite } from './runner-suite.ts'

for (const log of localLogs) runnerSuite(log)
