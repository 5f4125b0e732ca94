import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtinKinds, KindRegistry, type KubeObject, parseApiVersion } from "@boxship/api";
import { MASTERS } from "@boxship/apiserver";
import { errorMessage, FakeClock, InvalidArgument, silentLogger } from "@boxship/base";
import type { ApiClient, Collection } from "@boxship/client";
import { advance, DEFINITIONS, nodeLifecycle, SteppedControllers } from "@boxship/controllers";
import { Scheduler } from "@boxship/scheduler";
import { checkEnd } from "./check-end.ts";
import { describeFault, type Fault } from "./faults.ts";
import { Gate } from "./gate.ts";
import { type Counts, Observer } from "./observer.ts";
import { Pulses } from "./pulses.ts";
import { randomOf, SeededNaming } from "./random.ts";
import type { Load } from "./scenario.ts";
import { type SimulatedServer, startServer } from "./server.ts";
import { simulatedKubelets } from "./simulated-kubelets.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly loads: readonly Load[];
  /** How much time goes by in the simulated cluster. */
  readonly minutes: number;
  /** @default none */
  readonly faults?: readonly Fault[];
}

export interface Sample extends Counts {
  /** Milliseconds from the start. */
  readonly at: number;
}

export interface Outcome {
  /** What was written and what became of pods, in order: the same for the same options. */
  readonly history: readonly string[];
  readonly samples: readonly Sample[];
  /** What must not be and was. */
  readonly violations: readonly string[];
  readonly faults: readonly Fault[];
  /** Of controllers. */
  readonly writes: number;
}

/** A Monday, 2024-01-01T00:00:00Z. */
const START = 1_704_067_200_000;
const SAMPLES = 30;
const MINUTE_MS = 60_000;
const CONTROLLERS = { name: "system:kube-controller-manager", groups: [MASTERS, "system:authenticated"] };
const SCHEDULER = { name: "system:kube-scheduler", groups: ["system:authenticated"] };
const ADMINISTRATOR = { name: "kubernetes-admin", groups: [MASTERS, "system:authenticated"] };

/**
 * Runs a whole cluster on a clock that is wound: the real API server, controllers and scheduler; of nodes and pods only
 * what the API shows. The same options give the same history.
 *
 * @throws InvalidArgument for a load that the API refuses
 */
export async function simulate(options: SimulationOptions): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "boxship-simulation-"));
  // Also when the process ends in the middle.
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  stack.defer(async () => {
    process.off("exit", remove);
    await rm(directory, { recursive: true, force: true });
  });
  const clock = new FakeClock(START);
  const server = stack.use(await startServer({ directory, clock, naming: new SeededNaming(options.seed) }));
  const simulation = stack.use(new Simulation(server, clock, options));
  return await simulation.run();
}

interface Due {
  readonly at: number;
  readonly act: () => Promise<void> | void;
}

class Simulation implements AsyncDisposable {
  readonly #server: SimulatedServer;
  readonly #clock: FakeClock;
  readonly #options: SimulationOptions;
  readonly #random: () => number;
  readonly #admin: ApiClient;
  readonly #client: ApiClient;
  readonly #schedulerClient: ApiClient;
  readonly #kinds = new KindRegistry(builtinKinds());
  readonly #history: string[] = [];
  readonly #samples: Sample[] = [];
  readonly #observer = new Observer();
  readonly #pulses = { plane: new Pulses(), nodes: new Pulses() };
  readonly #skews = new Map<string, number>();
  readonly #kubelets: SteppedControllers;
  #gate: Gate;
  #controllers: SteppedControllers;
  #scheduler: Scheduler;
  #writes = 0;

  constructor(server: SimulatedServer, clock: FakeClock, options: SimulationOptions) {
    this.#server = server;
    this.#clock = clock;
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.#admin = server.connect(ADMINISTRATOR, "simulation");
    this.#client = server.connect(CONTROLLERS, "kube-controller-manager");
    this.#schedulerClient = server.connect(SCHEDULER, "kube-scheduler");
    this.#gate = this.#newGate();
    this.#controllers = this.#newControllers();
    this.#scheduler = this.#newScheduler();
    this.#kubelets = new SteppedControllers({
      client: this.#admin,
      definitions: [
        this.#observer.definition,
        simulatedKubelets({ pulses: this.#pulses.nodes, skewOf: (node) => this.#skews.get(node) ?? 0 }),
      ],
      clock,
      newest: () => server.newest(),
      dress: (_, client) => ({ client, events: { record: () => {} } }),
      failed: (name, { key, error }) => this.#tell(`${name}: ${key} failed: ${errorMessage(error)}`),
    });
  }

  #tell(line: string): number {
    return this.#history.push(`${this.#at()} ${line}`) - 1;
  }

  #at(): string {
    return `+${((this.#clock.now() - START) / 1000).toFixed(1)}s`;
  }

  #newGate(): Gate {
    const told = (line: string): number => {
      this.#writes++;
      return this.#tell(line);
    };
    return new Gate(told, (index, line) => void (this.#history[index] = `${this.#at()} ${line}`));
  }

  #newControllers(): SteppedControllers {
    const gate = this.#gate;
    const others = DEFINITIONS.filter(({ name }) => name !== "node-lifecycle-controller");
    return new SteppedControllers({
      client: this.#client,
      definitions: [...others, nodeLifecycle(this.#pulses.plane)],
      clock: this.#clock,
      newest: () => this.#server.newest(),
      dress: ({ name }, client) => ({ client: gate.client(name, client), events: { record: () => {} } }),
      failed: (name, { key, error }) => {
        if (!gate.hasEnded) this.#tell(`${name}: ${key} failed: ${errorMessage(error)}`);
      },
    });
  }

  #newScheduler(): Scheduler {
    return new Scheduler({
      client: this.#schedulerClient,
      logger: silentLogger,
      clock: this.#clock,
      random: this.#random,
      isStepped: true,
    });
  }

  async run(): Promise<Outcome> {
    await Promise.all([this.#controllers.start(), this.#kubelets.start(), this.#scheduler.ready]);
    const { minutes, faults = [] } = this.#options;
    const end = minutes * MINUTE_MS;
    const due = [...this.#loads(), ...faults.map((fault) => ({ at: fault.at, act: () => this.#fail(fault) }))];
    const last = faults.reduce(
      (most, fault) => Math.max(most, fault.at + ("ms" in fault ? Math.max(0, fault.ms) : 0)),
      0,
    );
    for (const fault of faults) {
      if (fault.kind === "node-lost") due.push({ at: fault.at + fault.ms, act: () => this.#recover(fault.node) });
    }
    for (let index = 0; index <= SAMPLES; index++) {
      const at = (end * index) / SAMPLES;
      due.push({ at, act: () => void this.#samples.push({ at, ...this.#observer.counts }) });
    }
    due.sort((left, right) => left.at - right.at);
    await this.#play(due, end);
    const calm = end - last >= 5 * MINUTE_MS;
    const violations = [...this.#observer.violations, ...(calm ? await checkEnd(this.#admin, this.#observer) : [])];
    return { history: this.#history, samples: this.#samples, violations, faults, writes: this.#writes };
  }

  /** Each thing at its time; those of one time together, before anybody looks. */
  async #play(due: readonly Due[], end: number): Promise<void> {
    for (let index = 0; index < due.length; ) {
      const { at } = due[index] ?? { at: 0 };
      if (at > end) break;
      await advance(this.#clock, START + at - this.#clock.now(), () => this.#settle());
      for (; due[index]?.at === at; index++) await due[index]?.act();
    }
    await advance(this.#clock, START + end - this.#clock.now(), () => this.#settle());
  }

  /** Works until nothing is left to do at this time; restarts who has ended. */
  async #settle(): Promise<void> {
    for (;;) {
      let worked = await this.#controllers.settle();
      if (this.#gate.hasEnded) {
        await this.#restart();
        worked = true;
      }
      worked = (await this.#scheduler.settle(await this.#server.newest())) > 0 || worked;
      worked = (await this.#kubelets.settle()) || worked;
      for (const line of this.#observer.takeHappened()) this.#tell(line);
      if (!worked) return;
    }
  }

  async #restart(): Promise<void> {
    this.#tell("the controllers and the scheduler start anew");
    await this.#controllers[Symbol.asyncDispose]();
    await this.#scheduler[Symbol.asyncDispose]();
    this.#pulses.plane.forgetListeners();
    this.#gate = this.#newGate();
    this.#controllers = this.#newControllers();
    this.#scheduler = this.#newScheduler();
    await Promise.all([this.#controllers.start(), this.#scheduler.ready]);
  }

  #fail(fault: Fault): void {
    this.#tell(`fault: ${describeFault(fault)}`);
    const node = "node" in fault ? `node-${fault.node}` : "";
    if (fault.kind === "restart") this.#gate.endAtNextWrite();
    else if (fault.kind === "write-failures") this.#gate.failWrites(fault.count);
    else if (fault.kind === "clock-skew") this.#skews.set(node, fault.ms);
    else this.#beat(node, false);
  }

  #recover(node: number): void {
    this.#tell(`fault: node-${node} is back`);
    this.#beat(`node-${node}`, true);
  }

  #beat(node: string, isThere: boolean): void {
    this.#pulses.plane.set(node, isThere);
    this.#pulses.nodes.set(node, isThere);
  }

  *#loads(): Generator<Due> {
    for (const { object, at, until } of this.#options.loads) {
      yield { at, act: () => this.#create(object) };
      if (until !== undefined) yield { at: until, act: () => this.#delete(object) };
    }
  }

  #collectionOf({ apiVersion, kind, metadata }: KubeObject): Collection {
    const { group = "", version = "" } = parseApiVersion(apiVersion) ?? {};
    const found = this.#kinds.findKind(group, version, kind);
    if (found === undefined)
      throw new InvalidArgument(`the scenario has a ${kind} of ${apiVersion}, which is not served here`);
    const { resource, namespaced } = found;
    return { group, version, resource, ...(namespaced ? { namespace: metadata.namespace ?? "default" } : {}) };
  }

  async #create(object: KubeObject): Promise<void> {
    const { status, ...rest } = object;
    const collection = this.#collectionOf(object);
    const name = object.metadata.name ?? "";
    try {
      const made = await this.#admin.create(collection, rest);
      if (object.kind === "Node" && status !== undefined) {
        await this.#admin.update({ ...collection, name }, { ...made, status }, { subresource: "status" });
      }
    } catch (cause) {
      throw new InvalidArgument(`${object.kind} ${name} of the scenario is refused: ${errorMessage(cause)}`, { cause });
    }
    if (object.kind !== "Node") this.#tell(`user: create ${collection.resource} ${name}`);
  }

  async #delete(object: KubeObject): Promise<void> {
    const { name = "" } = object.metadata;
    this.#tell(`user: delete ${object.kind} ${name}`);
    await this.#admin.delete({ ...this.#collectionOf(object), name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#controllers[Symbol.asyncDispose]();
    await this.#kubelets[Symbol.asyncDispose]();
    await this.#scheduler[Symbol.asyncDispose]();
    for (const client of [this.#admin, this.#client, this.#schedulerClient]) await client[Symbol.asyncDispose]();
  }
}
