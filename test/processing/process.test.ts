import { localLogs } from './logs.ts'
import { processSuite } from './process-suite.ts'

for (const log of localLogs) processSuite(log)
