import { failure, type KubeObject } from "@boxship/api";
import { type Clock, Internal } from "@boxship/base";
import type { RequestInfo, User } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { allObjects, unchangedObjects } from "../storage/read-objects.ts";
import { CATCH_ALL_SCHEMA, MANDATORY_LEVELS, MANDATORY_SCHEMAS } from "./default-objects.ts";
import { type Flow, flowOf, inPrecedence, schemaMatches } from "./flow-schemas.ts";
import { PriorityLevel, settingsOf } from "./priority-level.ts";
import { estimateList, estimateWrite, ONE_SEAT, type WorkEstimate } from "./work-estimate.ts";

const GROUP = "flowcontrol.apiserver.k8s.io";
/** Requests that are answered at a time: upstream's sum of those that read and those that write. */
const SEATS = 600;
/** How long a request may wait for a seat: a quarter of the time that it may take. */
const PATIENCE_MS = 15_000;

export interface FlowControlOptions {
  /** @default 600 */
  readonly seats?: number;
  /** Milliseconds. @default 15000 */
  readonly patience?: number;
}

/** A request, as far as it is known before it is looked at. */
export interface Asked {
  readonly info: RequestInfo;
  /** The same with the name that a field selector says. */
  readonly named: RequestInfo;
  readonly query: URLSearchParams;
}

/** What watchers are told of. */
const WRITES: ReadonlySet<string> = new Set(["create", "update", "patch", "delete"]);

interface LastFlow {
  readonly user: User;
  readonly schemas: readonly KubeObject[];
  readonly flow: Flow;
}

/** A place at the server. */
export interface Seat extends Disposable {
  readonly flow: Flow;
  readonly levelUid: string;
}

/**
 * Priority and fairness: every request is of a flow, and every flow of a priority level, which has a share of the seats.
 * Requests are one seat wide, lists as many as they are long, and writes leave some for those who watch. Where there is none left a request waits in a queue, or is refused with 429. A level's seats that it does not need may be
 * others' for the time being.
 */
export class FlowControl {
  readonly #context: () => ServerContext;
  readonly #clock: Clock;
  readonly #seats: number;
  readonly #patience: number;
  readonly #levels = new Map<string, PriorityLevel>();
  #levelObjects: readonly KubeObject[] | undefined;
  #schemaObjects: readonly KubeObject[] | undefined;
  #schemas: readonly KubeObject[] = [];
  /** The revision at which all of it was so still. */
  #asOf = 0;
  /** The last flow of what is asked for again and again. */
  readonly #flows = new WeakMap<RequestInfo, LastFlow>();

  constructor(
    context: () => ServerContext,
    clock: Clock,
    { seats = SEATS, patience = PATIENCE_MS }: FlowControlOptions = {},
  ) {
    this.#context = context;
    this.#clock = clock;
    this.#seats = seats;
    this.#patience = patience;
  }

  /** Waits for a seat. @throws TooManyRequests */
  enter(asked: Asked, user: User): Seat | Promise<Seat> {
    const refreshing = this.#refresh();
    return refreshing === undefined ? this.#place(asked, user) : refreshing.then(() => this.#place(asked, user));
  }

  #place(asked: Asked, user: User): Seat | Promise<Seat> {
    const { info } = asked;
    const flow = this.#flowOf(info, user);
    const level = this.#levels.get(flow.level) ?? this.#levels.get("catch-all");
    if (level === undefined) throw new Internal("there is no priority level for requests of none");
    if (level.settings.exempt) return this.#seat(level, flow, ONE_SEAT);
    const work = this.#estimate(asked, level.widest);
    const width = Math.max(work.seats, work.finalSeats);
    if (level.waiting === 0 && this.#mayRun(level, width)) return this.#seat(level, flow, work);
    return this.#wait(level, flow, width).then(() => this.#seat(level, flow, work));
  }

  #estimate({ info, named, query }: Asked, most: number | undefined): WorkEstimate {
    const { resource, verb } = info;
    if (resource === undefined) return ONE_SEAT;
    const isList = verb === "list" || verb === "watch";
    if (!isList && !WRITES.has(verb)) return ONE_SEAT;
    const { kinds, objects } = this.#context();
    const kind = kinds.find(resource.group, resource.version, resource.resource);
    const cache = kind === undefined ? undefined : objects.loadedCache(kind);
    if (isList) return estimateList(named, query, cache && { count: cache.size, bytes: cache.bytes }, most);
    if (kind === undefined || cache === undefined) return ONE_SEAT;
    const all = cache.watchers(objectKey(kind));
    const here = kind.namespaced && resource.namespace !== "" ? cache.watchers(objectKey(kind, resource.namespace)) : 0;
    return estimateWrite(info, all + here, most);
  }

  #seat(level: PriorityLevel, flow: Flow, { seats, finalSeats, finalMs }: WorkEstimate): Seat {
    const width = Math.max(seats, finalSeats);
    level.executing++;
    level.seats += width;
    level.dispatched++;
    let left = false;
    return {
      flow,
      levelUid: level.settings.uid,
      [Symbol.dispose]: () => {
        if (left) return;
        left = true;
        level.executing--;
        level.seats -= width - finalSeats;
        // Who asked has its answer, and does not wait for that.
        if (finalSeats > 0) this.#clock.setTimeout(finalMs, () => this.#leave(level, finalSeats));
        this.#admit();
      },
    };
  }

  #flowOf(info: RequestInfo, user: User): Flow {
    const known = this.#flows.get(info);
    if (known?.user === user && known.schemas === this.#schemas) return known.flow;
    const schema = this.#schemas.find((one) => schemaMatches(one, info, user)) ?? CATCH_ALL_SCHEMA;
    const flow = flowOf(schema, info, user);
    this.#flows.set(info, { user, schemas: this.#schemas, flow });
    return flow;
  }

  #leave(level: PriorityLevel, seats: number): void {
    level.seats -= seats;
    this.#admit();
  }

  #mayRun(level: PriorityLevel, width: number): boolean {
    // One that is wider than all seats together has them for itself.
    if (level.seats + width <= level.nominalSeats || (level.seats === 0 && level.nominalSeats > 0)) return true;
    if (level.seats + width > level.mostSeats) return false;
    let [lent, lendable] = [0, 0];
    for (const other of this.#levels.values()) {
      if (other.settings.exempt) continue;
      lent += Math.max(0, other.seats + (other === level ? width : 0) - other.nominalSeats);
      if (other !== level) lendable += other.lendableSeats;
    }
    return lent <= lendable;
  }

  async #wait(level: PriorityLevel, flow: Flow, width: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = level.enqueue(`${flow.schema}\0${flow.distinguisher}`, { start: resolve, width });
    if (leave === undefined)
      throw this.#refused(level, level.settings.queuing === undefined ? "concurrency-limit" : "queue-full");
    using _timer = this.#clock.setTimeout(this.#patience, () => {
      leave();
      reject(this.#refused(level, "time-out"));
    });
    await promise;
    // The seats were counted when the turn came.
    level.executing--;
    level.seats -= width;
  }

  #refused(level: PriorityLevel, reason: string): Error {
    level.rejected.set(reason, (level.rejected.get(reason) ?? 0) + 1);
    return failure("TooManyRequests", "Too many requests, please try again later.", { retryAfterSeconds: 1 });
  }

  /** Lets in whoever there is a seat for now. */
  #admit(): void {
    for (const level of this.#levels.values()) {
      while (level.waiting > 0 && this.#mayRun(level, level.nextWidth)) {
        level.executing++;
        level.seats += level.nextWidth;
        level.next()?.start();
      }
    }
  }

  /** @returns undefined where all is as it was the last time */
  #refresh(): Promise<void> | undefined {
    const context = this.#context();
    const { told } = context.objects;
    if (told === this.#asOf) return undefined;
    if (
      this.#levelObjects !== undefined &&
      this.#schemaObjects !== undefined &&
      unchangedObjects(context, GROUP, "prioritylevelconfigurations") === this.#levelObjects &&
      unchangedObjects(context, GROUP, "flowschemas") === this.#schemaObjects
    ) {
      this.#asOf = told;
      return undefined;
    }
    return this.#readAgain(context);
  }

  async #readAgain(context: ServerContext): Promise<void> {
    const [levels, schemas] = await Promise.all([
      allObjects(context, GROUP, "prioritylevelconfigurations"),
      allObjects(context, GROUP, "flowschemas"),
    ]);
    if (schemas !== this.#schemaObjects) {
      this.#schemaObjects = schemas;
      this.#schemas = inPrecedence(withMandatory(schemas, MANDATORY_SCHEMAS));
    }
    if (levels === this.#levelObjects) return;
    this.#levelObjects = levels;
    this.#setLevels(withMandatory(levels, MANDATORY_LEVELS));
  }

  #setLevels(objects: readonly KubeObject[]): void {
    const all = objects.map(settingsOf);
    const shares = all.reduce((sum, one) => sum + one.shares, 0);
    for (const settings of all) {
      const level = this.#levels.get(settings.name) ?? new PriorityLevel(settings);
      level.settings = settings;
      level.nominalSeats = Math.ceil((this.#seats * settings.shares) / shares);
      this.#levels.set(settings.name, level);
    }
    for (const [name, level] of this.#levels) {
      // Who waits there has had its place, and is let in as the others end.
      if (all.every((one) => one.name !== name) && level.waiting === 0) this.#levels.delete(name);
    }
    this.#admit();
  }

  /** In Prometheus' text format. */
  metrics(): readonly string[] {
    const levels = [...this.#levels.values()];
    const lines = (name: string, type: string, help: string, value: (level: PriorityLevel) => number): string[] => [
      `# HELP apiserver_flowcontrol_${name} ${help}`,
      `# TYPE apiserver_flowcontrol_${name} ${type}`,
      ...levels.map(
        (level) => `apiserver_flowcontrol_${name}{priority_level="${level.settings.name}"} ${value(level)}`,
      ),
    ];
    const rejected = levels.flatMap(({ settings, rejected: reasons }) =>
      [...reasons].map(
        ([reason, count]) =>
          `apiserver_flowcontrol_rejected_requests_total{priority_level="${settings.name}",reason="${reason}"} ${count}`,
      ),
    );
    return [
      ...lines("nominal_limit_seats", "gauge", "Seats that are a level's own.", ({ nominalSeats }) => nominalSeats),
      ...lines("current_executing_requests", "gauge", "Requests that have a seat.", ({ executing }) => executing),
      ...lines("current_executing_seats", "gauge", "Seats that are taken.", ({ seats }) => seats),
      ...lines("current_inqueue_requests", "gauge", "Requests that wait for one.", ({ waiting }) => waiting),
      ...lines("dispatched_requests_total", "counter", "Requests that got a seat.", ({ dispatched }) => dispatched),
      "# HELP apiserver_flowcontrol_rejected_requests_total Requests that were refused.",
      "# TYPE apiserver_flowcontrol_rejected_requests_total counter",
      ...rejected,
    ];
  }
}

function withMandatory(objects: readonly KubeObject[], mandatory: readonly KubeObject[]): readonly KubeObject[] {
  const names = new Set(objects.map(({ metadata }) => metadata.name));
  return [...objects, ...mandatory.filter(({ metadata }) => !names.has(metadata.name))];
}
