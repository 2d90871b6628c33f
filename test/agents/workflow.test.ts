import { localLogs } from '../processing/logs.ts'
import { workflowSpecification, workflowSuite } from './workflow-suite.ts'

workflowSpecification()
for (const log of localLogs) workflowSuite(log)
