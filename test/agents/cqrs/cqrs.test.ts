import { localLogs } from '../../processing/logs.ts'
import { cqrsSuite } from './cqrs-suite.ts'

for (const log of localLogs) cqrsSuite(log)
