import { userInfo } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { DuologError } from '../../core/errors.ts'
import {
  type DeadLetterEntry,
  type DeadLetterFilter,
  discardDeadLetters,
  listDeadLetters,
  listDeadLetterTopics,
  redriveDeadLetters,
  type Settled,
  showDeadLetter,
} from '../../processing/dead-letters.ts'
import type { EventStore } from '../../store/event-store.ts'
import { letterLines, printLetters, printSettled, topicOfLetter } from '../dead-letter-lines.ts'
import { EXIT } from '../exit-codes.ts'
import { wholeNumber } from '../flag-values.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printJson, printLines } from '../output.ts'

interface FilterFlags {
  readonly topic?: string
  readonly group?: string
  readonly type?: string
  readonly key?: string
  readonly error?: string
  readonly olderThan?: number
  readonly newerThan?: number
}

type ListFlags = LogFlags & FilterFlags & { readonly status: NonNullable<DeadLetterFilter['status']> }
type SettleFlags = LogFlags & FilterFlags & { readonly all?: true; readonly dryRun?: true; readonly by: string }

const LIST_EXAMPLES = `
Examples:
  duolog dlq list
  duolog dlq list --topic agent.tasks.worker --error TIMEOUT --older-than 1h
  duolog dlq list --status any --json | jq -r '.[].id'`

const SHOW_EXAMPLES = `
Examples:
  duolog dlq show workers/agent.tasks.worker/0/17`

const REDRIVE_EXAMPLES = `
Examples:
  duolog dlq redrive workers/agent.tasks.worker/0/17
  duolog dlq redrive --topic agent.tasks.worker --error TIMEOUT --dry-run
  duolog dlq redrive --all --max-redrives 3

A message goes to its topic again; an event only to the group that failed at it, for a fact is not written twice. A key's
letters go in order: a later one waits while an earlier one stays open.`

const DISCARD_EXAMPLES = `
Examples:
  duolog dlq discard workers/agent.tasks.worker/0/17 --reason "the customer is gone"
  duolog dlq discard --type OldTask --older-than 30d --reason "nobody needs them" --dry-run`

/** `duolog dlq list|show|redrive|discard`. */
export function addDlqCommand(program: Command): void {
  const dlq = program.command('dlq').description('dead letters: what was put aside, and what becomes of it')
  addListCommand(dlq)
  addShowCommand(dlq)
  addRedriveCommand(dlq)
  addDiscardCommand(dlq)
}

function addListCommand(dlq: Command): void {
  const command = dlq.command('list').description('list dead letters in the order they were put aside')
  addFilterFlags(command).addOption(
    new Option('--status <status>', 'what became of them')
      .choices(['open', 'redriven', 'discarded', 'any'])
      .default('open'),
  )
  addLogFlags(command, 'a list of dead letters')
    .addHelpText('after', LIST_EXAMPLES)
    .action((flags: ListFlags) =>
      withLog(flags.log, async (store) => {
        const filter = { ...filterOf(flags), status: flags.status }
        const topics = await topicsOf(store, flags)
        const letters = await Promise.all(topics.map((topic) => listDeadLetters(store, topic, filter)))
        await printLetters(letters.flat(), flags)
      }),
    )
}

function addShowCommand(dlq: Command): void {
  const command = dlq.command('show').description('show one dead letter whole').argument('<id>', 'from duolog dlq list')
  addLogFlags(command, 'the dead letter')
    .addHelpText('after', SHOW_EXAMPLES)
    .action((id: string, { log, json }: LogFlags) =>
      withLog(log, async (store) => {
        const letter = await showDeadLetter(store, topicOfLetter(id), id)
        await (json ? printJson(letter) : printLines(letterLines(letter)))
      }),
    )
}

function addRedriveCommand(dlq: Command): void {
  const command = dlq.command('redrive').description('send dead letters again, once, in the order of their keys')
  addSettleFlags(command).option(
    '--max-redrives <count>',
    'refuse what was redriven so often already',
    wholeNumber(1),
    5,
  )
  addLogFlags(command, 'what was done and what was refused')
    .addHelpText('after', REDRIVE_EXAMPLES)
    .action((ids: string[], flags: SettleFlags & { readonly maxRedrives: number }) => {
      const { by, dryRun = false, maxRedrives } = flags
      return settle('redriven', { ids, flags }, (store, topic, filter) =>
        redriveDeadLetters(store, topic, { filter, by, dryRun, maxRedrives }),
      )
    })
}

function addDiscardCommand(dlq: Command): void {
  const command = dlq
    .command('discard')
    .description('settle dead letters without sending them again; they stay on record')
  addSettleFlags(command).requiredOption('--reason <text>', 'is recorded')
  addLogFlags(command, 'what was done and what was refused')
    .addHelpText('after', DISCARD_EXAMPLES)
    .action((ids: string[], flags: SettleFlags & { readonly reason: string }) => {
      const { by, dryRun = false, reason } = flags
      return settle('discarded', { ids, flags }, (store, topic, filter) =>
        discardDeadLetters(store, topic, { filter, by, dryRun, reason }),
      )
    })
}

interface Chosen {
  readonly ids: readonly string[]
  readonly flags: SettleFlags
}

type SettleTopic = (store: EventStore, topic: string, filter: DeadLetterFilter) => Promise<Settled>

async function settle(verb: string, { ids, flags }: Chosen, settleTopic: SettleTopic): Promise<void> {
  const filter = { ...filterOf(flags), ...(ids.length > 0 && { ids }) }
  if (Object.keys(filter).length === 0 && flags.topic === undefined && !flags.all) throw nothingChosen()
  await withLog(flags.log, async (store) => {
    const topics = ids.length > 0 ? [...new Set(ids.map(topicOfLetter))] : await topicsOf(store, flags)
    const known = await Promise.all(topics.map((topic) => refuseUnknown(store, topic, ids)))
    const results: Settled[] = []
    for (const topic of topics) results.push(await settleTopic(store, topic, filter))
    const settled = results.flatMap((result) => result.settled)
    const refused = [...known.flat(), ...results.flatMap((result) => result.refused)]
    await printSettled({ settled, refused }, { ...flags, verb })
    if (refused.length > 0) process.exitCode = EXIT.failed
  })
}

/** An id nobody knows is an error; one that was settled before is refused, and the others go on. */
async function refuseUnknown(store: EventStore, topic: string, ids: readonly string[]): Promise<Settled['refused']> {
  const ofTopic = ids.filter((id) => topicOfLetter(id) === topic)
  const letters: DeadLetterEntry[] = []
  for (const id of ofTopic) letters.push(await showDeadLetter(store, topic, id))
  return letters
    .filter(({ status }) => status !== 'open')
    .map((letter) => ({ letter, reason: `it was ${letter.status} before, by ${letter.settled?.by}` }))
}

function addSettleFlags(command: Command): Command {
  return addFilterFlags(command)
    .argument('[ids...]', 'from duolog dlq list; without: all that the filters choose')
    .option('--all', 'every open dead letter of the log')
    .option('--dry-run', 'only say what would be done')
    .option('--by <name>', 'who does it; is recorded', userInfo().username)
}

function addFilterFlags(command: Command): Command {
  return command
    .option('--topic <topic>', 'only from this topic')
    .option('--group <group>', 'only what this consumer group failed at')
    .option('--type <type>', 'only of this type')
    .option('--key <key>', 'only with this key (of an event: its stream)')
    .option('--error <code>', "only with this error's code or name")
    .addOption(new Option('--older-than <age>', 'put aside at least so long ago: 90s, 15m, 2h, 30d').argParser(age))
    .addOption(new Option('--newer-than <age>', 'put aside at most so long ago').argParser(age))
}

function filterOf({ group, type, key, error, olderThan, newerThan }: FilterFlags): DeadLetterFilter {
  return {
    ...(group !== undefined && { group }),
    ...(type !== undefined && { type }),
    ...(key !== undefined && { key }),
    ...(error !== undefined && { error }),
    ...(olderThan !== undefined && { olderThanMs: olderThan }),
    ...(newerThan !== undefined && { newerThanMs: newerThan }),
  }
}

async function topicsOf(store: EventStore, { topic }: FilterFlags): Promise<readonly string[]> {
  return topic === undefined ? listDeadLetterTopics(store) : [topic]
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function age(text: string): number {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? []
  const unitMs = UNIT_MS[unit]
  if (unitMs === undefined) throw new InvalidArgumentError('Give a number and a unit: 90s, 15m, 2h or 30d.')
  return Number(count) * unitMs
}

function nothingChosen(): DuologError {
  return new DuologError(
    'INVALID_ARGUMENT',
    'Say which dead letters: their ids, a filter such as --topic or --error, or --all. duolog dlq list shows them.',
  )
}
