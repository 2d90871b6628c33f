#!/usr/bin/env node
import { enableCompileCache } from 'node:module'

/*
 * Keeps the program's code compiled between its starts, in Node's folder for that (NODE_DISABLE_COMPILE_CACHE=1: not). It is
 * our own program; a library must not decide that for its host. What is imported in the usual way would be loaded before.
 */
enableCompileCache()
const { start } = await import('./start.ts')
void start()
