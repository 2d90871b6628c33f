export { murmur2, partitionOf } from './core/murmur2.ts'
