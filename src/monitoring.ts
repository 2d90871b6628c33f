export { type ServedPage, type ServePageOptions, servePage } from './monitoring/serve-page.ts'
