import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { coordinatorSuite } from './coordinator-suite.ts'

coordinatorSuite('memory', async () => openMemoryStore())
