import { startBroker } from './broker.ts'

/** Prints a broker's address on one line and keeps it running until this process is ended (or its stdin closes). */
const broker = await startBroker()
process.stdout.write(`${broker.address}\n`)

const end = async () => {
  await broker.stop()
  process.exit(0)
}
process.once('SIGINT', () => void end())
process.once('SIGTERM', () => void end())
setInterval(() => {}, 1 << 30)
