import { localLogs } from './logs.ts'
import { timersSuite } from './timers-suite.ts'

for (const log of localLogs) timersSuite(log)
