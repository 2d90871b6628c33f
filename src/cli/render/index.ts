export { formatDuration, formatUsd, plural } from './format.ts'
export { LiveTree, type TreeStream } from './live-tree.ts'
export { type Column, table } from './table.ts'
export { renderTree, type TreeItem, type TreeOptions, type TreeView } from './tree.ts'
