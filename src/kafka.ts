export { murmur2, partitionOf } from './core/murmur2.ts'
export { type KafkaConnection, openKafkaStore } from './store/kafka/kafka-store.ts'
