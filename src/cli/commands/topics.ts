import type { Command } from 'commander'
import { DuologError } from '../../core/errors.ts'
import { plural } from '../../core/format.ts'
import type { KafkaConnection } from '../../store/kafka/connection.ts'
import type { TopicAdmin } from '../../store/kafka/topic-admin.ts'
import type { TopicAction, TopicPlan, TopicStep } from '../../store/kafka/topic-plan.ts'
import { parseStoreUrl } from '../../store/store-url.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { wholeNumber } from '../flag-values.ts'
import { addLogFlags, type LogFlags } from '../log-flags.ts'
import { printJson, printLines } from '../output.ts'
import { wantsColor } from '../render/paint.ts'
import { type Column, table } from '../render/table.ts'
import { stderrLogger } from '../stderr-logger.ts'

/*
 * The topics of a log on Kafka, from the one definition a store uses, for those who make topics before programs run.
 */

type TopicsFlags = LogFlags & { readonly prefix?: string; readonly replication?: number }
type Verb = 'plan' | 'apply' | 'check'

const VERBS: Readonly<Record<Verb, string>> = {
  plan: 'say what would be made or changed; changes nothing',
  apply: 'make and change it; safe to repeat',
  check: 'exit 1 when a topic is missing or not as defined, 2 when one cannot be put right; changes nothing',
}

const EXAMPLES = `
Examples:
  duolog topics plan  --log kafka://localhost:9092
  duolog topics apply --log kafka://broker1:9092,broker2:9092 --replication 3 --prefix prod.
  duolog topics check --log kafka://localhost:9092 --json

Refused, with the reason and nothing changed: fewer partitions, more partitions on the event topic, fewer replicas than
asked for. Warned of: one replica, retention or compaction on the event topic.`

export function addTopicsCommand(program: Command): void {
  const topics = program.command('topics').description("plan, make and check a log's topics on Kafka")
  topics.addHelpText('after', EXAMPLES)
  for (const [verb, description] of Object.entries(VERBS) as [Verb, string][]) {
    const command = topics
      .command(verb)
      .description(description)
      .option('--prefix <text>', "stands before every topic's name")
      .option('--replication <count>', 'replicas of each topic; from 3 on, two must be in sync', wholeNumber(1))
    addLogFlags(command, 'the plan as one object')
      .addHelpText('after', EXAMPLES)
      .action(async (flags: TopicsFlags) => {
        process.exitCode = await run(verb, flags)
      })
  }
}

async function run(verb: Verb, flags: TopicsFlags): Promise<ExitCode> {
  const admin = await openAdmin(flags)
  try {
    const plan = verb === 'apply' ? await admin.apply() : await admin.plan()
    if (flags.json) await printJson(plan)
    else await print(verb, plan)
    return exitCodeOf(verb, plan)
  } finally {
    await admin.close()
  }
}

function exitCodeOf(verb: Verb, { changes, refused }: TopicPlan): ExitCode {
  if (refused > 0) return EXIT.badInput
  return verb === 'check' && changes > 0 ? EXIT.failed : EXIT.completed
}

async function openAdmin({ log, prefix, replication }: TopicsFlags): Promise<TopicAdmin> {
  const parsed = parseStoreUrl(log)
  if (parsed.scheme !== 'kafka') {
    throw new DuologError(
      'INVALID_ARGUMENT',
      `Topics are planned on Kafka: --log kafka://HOST:PORT, not ${parsed.scheme}:.`,
    )
  }
  const { brokers, username, password } = parsed
  const { eventTopic, leaseMs: _leaseMs, ...parameters } = parsed.parameters
  const connection: KafkaConnection = {
    brokers,
    ...parameters,
    ...(username !== undefined && { username, password }),
    ...(prefix !== undefined && { prefix }),
    ...(replication !== undefined && { replicationFactor: replication }),
  }
  const { openTopicAdmin } = await import('../../store/kafka/topic-admin.ts')
  const logger = stderrLogger((line) => void process.stderr.write(`${line}\n`))
  return openTopicAdmin(connection, { logger, ...(eventTopic && { eventTopic }) })
}

const columns: readonly Column<TopicStep>[] = [
  { header: 'topic', value: ({ topic }) => topic },
  { header: 'for', value: ({ role }) => role },
  { header: 'partitions', value: ({ partitions }) => partitions, align: 'right' },
  { header: 'replicas', value: ({ replicationFactor }) => replicationFactor ?? 'default', align: 'right' },
  { header: '', value: ({ actions, refusals }) => (refusals.length > 0 ? 'refused' : describeActions(actions)) },
]

function describeActions(actions: readonly TopicAction[]): string {
  return actions.length === 0 ? 'as defined' : actions.map(describeAction).join(', ')
}

function describeAction(action: TopicAction): string {
  switch (action.kind) {
    case 'create':
      return 'create'
    case 'add-partitions':
      return `add partitions: ${action.from} to ${action.to}`
    case 'set-config':
      return `set ${action.name}=${action.to} (is ${action.from ?? 'unknown'})`
  }
}

async function print(verb: Verb, plan: TopicPlan): Promise<void> {
  const { topics, changes } = plan
  const refusals = topics.flatMap(({ topic, refusals }) => refusals.map((reason) => `refused: ${topic}: ${reason}.`))
  const notes = [...refusals, ...warningLines(topics)]
  const done = verb === 'apply' ? 'done' : 'to do'
  await printLines([
    ...table(topics, columns, { color: wantsColor(process.stdout) }),
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
    changes === 0 && plan.refused === 0 ? 'All topics are as defined.' : `${plural(changes, 'change')} ${done}.`,
  ])
}

/** One line per warning, however many topics it is about. */
function warningLines(topics: readonly TopicStep[]): readonly string[] {
  const about = new Map<string, string[]>()
  for (const { topic, warnings } of topics) {
    for (const warning of warnings) about.set(warning, [...(about.get(warning) ?? []), topic])
  }
  return [...about].map(([warning, names]) => {
    const which = names.length === topics.length ? 'all topics' : names.join(', ')
    return `warning: ${which}: ${warning}.`
  })
}
