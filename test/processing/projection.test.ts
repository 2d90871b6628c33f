import { localLogs } from './logs.ts'
import { projectionSuite } from './projection-suite.ts'

for (const log of localLogs) projectionSuite(log)
