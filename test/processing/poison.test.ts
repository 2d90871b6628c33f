import { localLogs } from './logs.ts'
import { poisonSuite } from './poison-suite.ts'

for (const log of localLogs) poisonSuite(log)
