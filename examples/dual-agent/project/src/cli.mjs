import { readFile } from 'node:fs/promises'
import { report } from './report.mjs'

const [file = 'trip.json'] = process.argv.slice(2)
process.stdout.write(report(JSON.parse(await readFile(file, 'utf8'))))
