import { type Engine, load, type OpenEngine } from '../engine.ts'

/* DBOS: a session is a workflow, a step a step of it. What was killed goes on by itself once the process is back. */

type Workflow = (id: string, steps: number) => Promise<number>
interface Dbos {
  readonly DBOS: {
    setConfig(config: object): void
    registerWorkflow(workflow: Workflow, options: { readonly name: string }): Workflow
    runStep(step: () => Promise<string>, options: { readonly name: string }): Promise<string>
    startWorkflow(
      workflow: Workflow,
      options: { readonly workflowID: string },
    ): (id: string, steps: number) => Promise<{ getResult(): Promise<number> }>
    launch(): Promise<void>
    shutdown(): Promise<void>
  }
}

export const dbos: OpenEngine = async ({ packages, place, step }): Promise<Engine> => {
  const { DBOS } = load<Dbos>(packages, '@dbos-inc/dbos-sdk')
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl: place, applicationVersion: '1', logLevel: 'error' })
  const workflow = DBOS.registerWorkflow(
    async (id, steps) => {
      for (let number = 0; number < steps; number++) {
        await DBOS.runStep(async () => step(id, number), { name: `step-${number}` })
      }
      return steps
    },
    { name: 'session' },
  )
  await DBOS.launch()
  return {
    async run(id, steps) {
      const handle = await DBOS.startWorkflow(workflow, { workflowID: id })(id, steps)
      await handle.getResult()
    },
    close: () => DBOS.shutdown(),
  }
}
