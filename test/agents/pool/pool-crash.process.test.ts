import { fileLog } from '../../chaos/file-log.ts'
import { poolCrashSuite } from './pool-crash-suite.ts'

poolCrashSuite(fileLog)
