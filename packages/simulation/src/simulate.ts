import { builtinKinds, type JsonObject, KindRegistry, type KubeObject, parseApiVersion, textAt } from "@boxship/api";
import { MASTERS } from "@boxship/apiserver";
import { errorMessage, FakeClock, InvalidArgument, NotFound, silentLogger } from "@boxship/base";
import { type ApiClient, type Collection, keyOf } from "@boxship/client";
import { advance, DEFINITIONS, nodeLifecycle, SteppedControllers } from "@boxship/controllers";
import { Scheduler } from "@boxship/scheduler";
import { checkEnd } from "./check-end.ts";
import { brokenBudgets, StepChecks } from "./check-step.ts";
import { describeFault, type Fault } from "./faults.ts";
import { Gate } from "./gate.ts";
import { metricsAt } from "./metrics.ts";
import { type Counts, Observer } from "./observer.ts";
import { Pulses } from "./pulses.ts";
import { randomOf, SeededNaming } from "./random.ts";
import type { Load } from "./scenario.ts";
import { type SimulatedServer, startServer } from "./server.ts";
import { simulatedKubelets } from "./simulated-kubelets.ts";
import { WatchFaults } from "./watch-faults.ts";

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
/** Between tries to evict what a budget held. */
const EVICT_MS = 5000;
const NODES = { group: "", version: "v1", resource: "nodes" } as const;
const PODS = { group: "", version: "v1", resource: "pods" } as const;
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
  const clock = new FakeClock(START);
  const server = stack.use(await startServer({ clock, naming: new SeededNaming(options.seed) }));
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
  readonly #checks = new StepChecks();
  readonly #watches = { controllers: new WatchFaults(), scheduler: new WatchFaults() };
  /** Nodes that somebody empties. */
  readonly #drained = new Set<string>();
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
        simulatedKubelets({
          pulses: this.#pulses.nodes,
          skewOf: (node) => this.#skews.get(node) ?? 0,
          twice: (line) => void this.#checks.violations.push(line),
        }),
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
    return new Gate({
      told,
      retold: (index, line) => void (this.#history[index] = `${this.#at()} ${line}`),
      clock: this.#clock,
      // Who writes waits until it sees that.
      writes: (resource) => this.#watches.controllers.release(resource),
      raw: (path) => metricsAt(path, this.#observer, this.#clock.now(), this.#clock.now() - START),
    });
  }

  #newControllers(): SteppedControllers {
    const gate = this.#gate;
    const others = DEFINITIONS.filter(({ name }) => name !== "node-lifecycle-controller");
    const watches = this.#watches.controllers;
    return new SteppedControllers({
      client: watches.client(this.#client),
      stalls: gate,
      definitions: [...others, nodeLifecycle(this.#pulses.plane)],
      clock: this.#clock,
      newest: () => watches.told(this.#server.newest()),
      dress: ({ name }, client) => ({ client: gate.client(name, client), events: { record: () => {} } }),
      failed: (name, { key, error }) => {
        if (gate.hasEnded) return;
        if (!gate.takeEnded(name)) {
          this.#tell(`${name}: ${key} failed: ${errorMessage(error)}`);
          return;
        }
        this.#tell(`the ${name} starts anew`);
        this.#controllers.restart(name);
      },
    });
  }

  #newScheduler(): Scheduler {
    return new Scheduler({
      client: this.#watches.scheduler.client(this.#gate.schedulerClient(this.#schedulerClient)),
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
    const due = [...this.#loads(), ...faults.flatMap((fault) => [...this.#actsOf(fault)])];
    const last = faults.reduce(
      (most, fault) => Math.max(most, fault.at + ("ms" in fault ? Math.max(0, fault.ms) : 0)),
      0,
    );
    for (let index = 0; index <= SAMPLES; index++) {
      const at = (end * index) / SAMPLES;
      due.push({ at, act: () => void this.#samples.push({ at, ...this.#observer.counts }) });
    }
    due.sort((left, right) => left.at - right.at);
    await this.#play(due, end);
    const calm = end - last >= 5 * MINUTE_MS;
    const found = [...this.#observer.violations, ...this.#checks.violations];
    const violations = [...found, ...(calm ? await checkEnd(this.#admin, this.#observer) : [])];
    const told = [...new Set(violations)];
    return { history: this.#history, samples: this.#samples, violations: told, faults, writes: this.#writes };
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
      const told = await this.#watches.scheduler.told(this.#server.newest());
      const resumed = this.#gate.resumeScheduler();
      const stalls = { resumed, stalled: () => this.#gate.schedulerStalled() };
      worked = (await this.#scheduler.settle(told, stalls)) > 0 || worked || resumed;
      worked = (await this.#kubelets.settle()) || worked;
      for (const line of this.#observer.takeHappened()) this.#tell(line);
      if (worked || this.#gate.hasEnded) continue;
      this.#checks.look({
        observer: this.#observer,
        now: this.#clock.now() - START,
        isThere: (node) => this.#pulses.nodes.isBeating(node),
      });
      return;
    }
  }

  async #restart(): Promise<void> {
    this.#tell("the controllers and the scheduler start anew");
    this.#gate.end();
    for (const watches of Object.values(this.#watches)) watches.forget();
    await this.#controllers[Symbol.asyncDispose]();
    await this.#scheduler[Symbol.asyncDispose]();
    this.#pulses.plane.forgetListeners();
    this.#gate = this.#newGate();
    this.#controllers = this.#newControllers();
    this.#scheduler = this.#newScheduler();
    await Promise.all([this.#controllers.start(), this.#scheduler.ready]);
  }

  /** What a fault is made of, each at its time. */
  *#actsOf(fault: Fault): Generator<Due> {
    const { at } = fault;
    const begin = (act: () => void | Promise<void>): Due => ({
      at,
      act: () => {
        this.#tell(`fault: ${describeFault(fault)}`);
        return act();
      },
    });
    switch (fault.kind) {
      case "restart":
        return yield begin(() => this.#gate.endAtNextWrite());
      case "restart-one":
        return yield begin(() => this.#gate.endAfter(fault.controller, fault.writes));
      case "write-failures":
        return yield begin(() => this.#gate.failWrites(fault.count));
      case "slow-store":
        return yield begin(() => this.#gate.slowDown(fault.latency, this.#clock.now() + fault.ms));
      case "clock-skew":
        return yield begin(() => void this.#skews.set(fault.node, fault.ms));
      case "node-lost":
        yield begin(() => this.#beat(fault.node, false));
        return yield { at: at + fault.ms, act: () => this.#recover(fault.node) };
      case "watch-held": {
        const watches = this.#watches[fault.watcher];
        yield begin(() => watches.hold(fault.resource));
        const end = async (): Promise<void> => {
          if (await watches.end(fault.resource, fault.ends)) this.#tell(`fault: ${fault.resource} are told again`);
        };
        return yield { at: at + fault.ms, act: end };
      }
      case "drain": {
        const { node } = fault;
        yield begin(() => this.#cordon(node, true));
        for (let after = 0; after < fault.ms; after += EVICT_MS)
          yield { at: at + after, act: () => this.#evictFrom(node) };
        return yield { at: at + fault.ms, act: () => this.#cordon(node, false) };
      }
    }
  }

  async #cordon(node: string, isOut: boolean): Promise<void> {
    if (isOut) this.#drained.add(node);
    else this.#drained.delete(node);
    await this.#ask(`${isOut ? "cordon" : "uncordon"} ${node}`, () =>
      this.#admin.patch({ ...NODES, name: node }, "merge", { spec: { unschedulable: isOut ? true : null } }),
    );
  }

  /** As `kubectl drain` does: whose budget does not allow it is asked again later. */
  async #evictFrom(node: string): Promise<void> {
    if (!this.#drained.has(node)) return;
    const pods = [...this.#observer.pods()].filter(
      (pod) =>
        textAt(pod, "spec", "nodeName") === node &&
        pod.metadata.deletionTimestamp === undefined &&
        pod.metadata.ownerReferences?.some(({ kind }) => kind === "DaemonSet") !== true,
    );
    for (const pod of pods.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))) {
      const { name = "", namespace = "" } = pod.metadata;
      // Who sees late, or waits, allows what was right when it looked.
      const isBlind =
        this.#gate.isDisturbed ||
        ["pods", "poddisruptionbudgets.policy"].some((one) => this.#watches.controllers.isHeld(one));
      const broken = isBlind ? [] : brokenBudgets(this.#observer, pod);
      const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
      try {
        await this.#admin.create({ ...PODS, namespace }, eviction, { subresource: "eviction" });
      } catch (error) {
        this.#tell(`user: evict ${name}: ${errorMessage(error)}`);
        continue;
      }
      this.#tell(`user: evict ${name}`);
      this.#checks.violations.push(...broken.map((one) => `${one} when ${name} was evicted`));
      // The next one is asked for when all have seen this one go.
      await this.#settle();
    }
  }

  #recover(node: string): void {
    this.#tell(`fault: ${node} is back`);
    this.#beat(node, true);
  }

  #beat(node: string, isThere: boolean): void {
    this.#pulses.plane.set(node, isThere);
    this.#pulses.nodes.set(node, isThere);
  }

  *#loads(): Generator<Due> {
    for (const { object, at, until, edits = [] } of this.#options.loads) {
      yield { at, act: () => this.#create(object) };
      for (const { at: when, patch } of edits) yield { at: when, act: () => this.#edit(object, patch) };
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

  async #edit(object: KubeObject, patch: JsonObject): Promise<void> {
    const { name = "" } = object.metadata;
    await this.#ask(`edit ${object.kind} ${name}`, () =>
      this.#admin.patch({ ...this.#collectionOf(object), name }, "merge", patch),
    );
  }

  async #delete(object: KubeObject): Promise<void> {
    const { name = "" } = object.metadata;
    await this.#ask(`delete ${object.kind} ${name}`, () => this.#admin.delete({ ...this.#collectionOf(object), name }));
  }

  /** What a user does with something that may not be there: a job may be gone, a node not yet there. */
  async #ask(what: string, act: () => Promise<unknown>): Promise<void> {
    const line = this.#tell(`user: ${what}`);
    try {
      await act();
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
      this.#history[line] += `: ${error.message}`;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gate.end();
    for (const watches of Object.values(this.#watches)) watches.forget();
    await this.#controllers[Symbol.asyncDispose]();
    await this.#kubelets[Symbol.asyncDispose]();
    await this.#scheduler[Symbol.asyncDispose]();
    for (const client of [this.#admin, this.#client, this.#schedulerClient]) await client[Symbol.asyncDispose]();
  }
}
