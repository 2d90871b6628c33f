export { memoryViews } from './processing/memory-views.ts'
export {
  defineProjection,
  type Projected,
  type Projection,
  type ProjectionOptions,
  type RowChanges,
  type RowHandlers,
} from './processing/projection.ts'
export { sqliteViews } from './processing/sqlite-views.ts'
export {
  type ProjectionStatus,
  type RunningProjection,
  startProjection,
  type StartProjectionOptions,
  type WaitForOptions,
  type WaitTarget,
} from './processing/start-projection.ts'
export type { ListRowsOptions, ViewBuild, ViewChange, ViewRow, ViewStore } from './processing/view-store.ts'
