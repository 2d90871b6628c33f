export { onReach } from './core/reach.ts'
export type { ContractLog, Lacking } from './testing/contract/contract-test.ts'
export { type ContractRunner, type StoreContractOptions, storeContract } from './testing/store-contract.ts'
