import {
  deepEqual,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  listAt,
  textAt,
  valueAt,
} from "@boxship/api";
import type {
  Collection,
  DeleteOptions,
  EventType,
  ObjectRef,
  PatchOptions,
  PatchType,
  WriteOptions,
} from "@boxship/client";
import type { ControllerClient, EventSink } from "../contract.ts";
import { resourceName, type SharedInformers } from "../frame/shared-informers.ts";

/** Lines that a reader can follow: who wrote what, and when. What the server made up in names is a star. */
export class History {
  readonly lines: string[] = [];
  readonly #now: () => number;
  #start: number;
  readonly #names = new Map<string, string>();

  constructor(now: () => number) {
    this.#now = now;
    this.#start = now();
  }

  /** Forgets what was written; times count from now. */
  begin(): void {
    this.lines.length = 0;
    this.#start = this.#now();
  }

  line(text: string): void {
    this.lines.push(text);
  }

  wrote(who: string, what: string): void {
    const seconds = Math.round((this.#now() - this.#start) / 1000);
    this.lines.push(`+${seconds}s ${who}: ${this.#stable(what)}`);
  }

  created(object: KubeObject, generated: string): void {
    const { name = "" } = object.metadata;
    if (generated === "" || this.#names.has(name)) return;
    this.#names.set(name, `${generated}*`);
  }

  #stable(text: string): string {
    let stable = text;
    for (const [name, alias] of this.#names) if (text.includes(name)) stable = stable.replaceAll(name, alias);
    stable = stable.replace(/"resourceVersion":"\d+"/g, '"resourceVersion":"<n>"');
    return stable.replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uid>");
  }

  events(who: string): EventSink {
    return {
      record: (about: KubeObject, type: EventType, reason: string, message: string) => {
        this.wrote(who, `event for ${about.kind} ${about.metadata.name}: ${type} ${reason}: ${message}`);
      },
    };
  }
}

/** A client that writes down what is written through it. */
export class RecordingClient implements ControllerClient {
  readonly #client: ControllerClient;
  readonly #informers: SharedInformers;
  readonly #history: History;
  readonly #who: string;

  constructor(client: ControllerClient, informers: SharedInformers, history: History, who: string) {
    this.#client = client;
    this.#informers = informers;
    this.#history = history;
    this.#who = who;
  }

  get: ControllerClient["get"] = (ref, options) => this.#client.get(ref, options);
  getRaw: ControllerClient["getRaw"] = (path, options) => this.#client.getRaw(path, options);
  list: ControllerClient["list"] = (collection, options) => this.#client.list(collection, options);

  async create<T extends KubeObject>(collection: Collection, object: T, options?: WriteOptions): Promise<T> {
    const created = await this.#attempt(`create ${resourceName(collection)}`, () =>
      this.#client.create(collection, object, options),
    );
    this.#history.created(created, object.metadata.generateName ?? "");
    const replicas = textAt(object, "spec", "replicas");
    const more = replicas === "" ? "" : ` replicas=${replicas}`;
    this.#history.wrote(this.#who, `create ${resourceName(collection)} ${created.metadata.name}${more}`);
    return created;
  }

  update<T extends KubeObject>(ref: ObjectRef, object: T, options: WriteOptions = {}): Promise<T> {
    return this.#change(ref, options.subresource, () => this.#client.update(ref, object, options));
  }

  patch<T extends KubeObject>(ref: ObjectRef, type: PatchType, patch: Json, options: PatchOptions = {}): Promise<T> {
    return this.#change(ref, options.subresource, () => this.#client.patch<T>(ref, type, patch, options));
  }

  async delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<JsonObject> {
    const deleted = await this.#attempt(`delete ${resourceName(ref)}`, () => this.#client.delete(ref, options));
    const how = options.propagationPolicy === undefined ? "" : ` (${options.propagationPolicy})`;
    this.#history.wrote(this.#who, `delete ${resourceName(ref)} ${ref.name}${how}`);
    return deleted;
  }

  async #change<T extends KubeObject>(ref: ObjectRef, part: string | undefined, act: () => Promise<T>): Promise<T> {
    const what = part ?? "update";
    const informer = this.#informers.find(ref);
    const before = informer?.get(ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`);
    const after = await this.#attempt(`${what} ${resourceName(ref)}`, act);
    const changes =
      part === "scale"
        ? differences({ replicas: valueAt(before, "spec", "replicas") ?? 0 }, valueAt(after, "spec"), "")
        : differences(before, after, "");
    const told = changes.length === 0 ? "nothing" : changes.join(", ");
    this.#history.wrote(this.#who, `${what} ${resourceName(ref)} ${ref.name}: ${told}`);
    return after;
  }

  async #attempt<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      this.#history.wrote(this.#who, `${what} failed: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    }
  }
}

const UNTOLD = new Set([
  "managedFields",
  "resourceVersion",
  "generation",
  "lastTransitionTime",
  "lastUpdateTime",
  "lastProbeTime",
]);

function differences(before: Json | undefined, after: Json | undefined, path: string): string[] {
  if (deepEqual(before, after)) return [];
  if (isObject(before) && isObject(after)) {
    const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((field) => !UNTOLD.has(field));
    return fields.flatMap((field) => {
      const below =
        path === "" || path === "status" || path === "metadata" || path === "spec" ? field : `${path}.${field}`;
      return differences(
        before[field],
        after[field],
        path === "status" && field === "conditions" ? "conditions" : below,
      );
    });
  }
  if (path.endsWith("conditions")) return conditionChanges(before, after);
  if (isObject(after) && (before ?? null) === null) return differences({}, after, path);
  return [`${path} ${short(before)}→${short(after)}`];
}

function conditionChanges(before: Json | undefined, after: Json | undefined): string[] {
  const then = listAt({ list: before ?? [] }, "list");
  const now = listAt({ list: after ?? [] }, "list");
  const gone = then.filter((one) => !now.some((other) => textAt(other, "type") === textAt(one, "type")));
  const told = now.flatMap((one) => {
    const old = then.find((other) => textAt(other, "type") === textAt(one, "type"));
    const words = ["status", "reason", "message"].map((field) => textAt(one, field));
    if (old !== undefined && ["status", "reason", "message"].every((field, at) => textAt(old, field) === words[at]))
      return [];
    return [`${textAt(one, "type")}=${words[0]} ${words[1]}${words[2] === "" ? "" : ` "${words[2]}"`}`];
  });
  return [...told, ...gone.map((one) => `${textAt(one, "type")} gone`)];
}

function short(value: Json | undefined): string {
  if (value === undefined || value === null) return "-";
  return typeof value === "string" ? value : JSON.stringify(value);
}
