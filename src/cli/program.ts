import { Command } from 'commander'
import { VERSION } from '../agents/version.ts'
import { addApprovalCommands } from './commands/approvals.ts'
import { addBudgetCommand } from './commands/budget.ts'
import { addCancelCommand } from './commands/cancel.ts'
import { addCassetteCommand } from './commands/cassette.ts'
import { addDiffCommand } from './commands/diff.ts'
import { addDlqCommand } from './commands/dlq.ts'
import { addEventsCommand } from './commands/events.ts'
import { addForkCommand } from './commands/fork.ts'
import { addOutputCommand } from './commands/output.ts'
import { addPageCommand } from './commands/page.ts'
import { addPauseCommand } from './commands/pause.ts'
import { addResolveCommand } from './commands/resolve.ts'
import { addResumeCommand } from './commands/resume.ts'
import { addRunCommand } from './commands/run.ts'
import { addServiceCommands } from './commands/services.ts'
import { addSessionsCommand } from './commands/sessions.ts'
import { addShowCommand } from './commands/show.ts'
import { addTopicsCommand } from './commands/topics.ts'
import { EXIT_CODES_HELP } from './exit-codes.ts'

const EXAMPLES = `
Examples:
  duolog run "Bring the project to green" --script agents.json
  duolog resume --script agents.json
  duolog sessions${EXIT_CODES_HELP}

DUOLOG_LOG stands for --log. DUOLOG_DEBUG=1 shows stacks and every log line. NO_COLOR is respected.`

/** The whole command line; errors of usage come out as CommanderError. */
export function createProgram(): Command {
  const program = new Command('duolog')
    .description('Event-sourced work of two agents, on a file or on Apache Kafka: stop it anywhere, go on from there.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'duolog: ')) })
    .showHelpAfterError('Try --help.')
    .addHelpText('after', EXAMPLES)
  addRunCommand(program)
  addResumeCommand(program)
  addSessionsCommand(program)
  addShowCommand(program)
  addEventsCommand(program)
  addPageCommand(program)
  addOutputCommand(program)
  addCassetteCommand(program)
  addForkCommand(program)
  addDiffCommand(program)
  addCancelCommand(program)
  addPauseCommand(program)
  addResolveCommand(program)
  addApprovalCommands(program)
  addBudgetCommand(program)
  addServiceCommands(program)
  addTopicsCommand(program)
  addDlqCommand(program)
  return program
}
