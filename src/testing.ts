export { onReach } from './core/reach.ts'
