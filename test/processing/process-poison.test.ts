import { localLogs } from './logs.ts'
import { processPoisonSuite } from './process-poison-suite.ts'

for (const log of localLogs) processPoisonSuite(log)
