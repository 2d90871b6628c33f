import { join } from 'node:path'
import { killedSuite } from './killed-suite.ts'

killedSuite('file', (folder) => `file:${join(folder, 'log.db')}`)
