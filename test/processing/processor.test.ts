import { localLogs } from './logs.ts'
import { processorSuite } from './processor-suite.ts'

for (const log of localLogs) processorSuite(log)
