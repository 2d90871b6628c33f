import { join } from 'node:path'
import { sharedViewSuite } from './shared-view-suite.ts'

sharedViewSuite({ name: 'file', newUrl: (folder) => `file:${join(folder, 'run.db')}?leaseMs=1000` })
