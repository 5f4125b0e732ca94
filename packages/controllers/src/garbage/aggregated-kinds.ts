import { isObject, type KubeObject, listAt, statusOf, textAt, valueAt } from "@boxship/api";
import type { BoxshipError } from "@boxship/base";
import type { ControllerContext } from "../contract.ts";
import { API_SERVICES } from "../shared/resources.ts";
import type { CollectedKind } from "./owner-graph.ts";

/** Between two looks at what a server serves, as upstream's collector has it. */
const LOOK_MS = 30_000;
const NEEDED = ["delete", "list", "watch"] as const;

interface Served extends CollectedKind {
  /** It can be followed, and its objects can be deleted. */
  readonly isCollected: boolean;
}

export interface Followers {
  /** @returns whether it is followed from now on, and not by somebody else already */
  follow(kind: CollectedKind): boolean;
  /** Nobody tells of its objects any more, which may well be there. */
  lose(kind: CollectedKind): void;
}

/**
 * The kinds of servers behind this one, as their APIServices come and go. One that does not answer is left as it was when it
 * did, so that its objects are neither taken for gone nor waited for.
 */
export class AggregatedKinds {
  readonly #context: ControllerContext;
  readonly #followers: Followers;
  /** By name of the APIService. */
  readonly #served = new Map<string, readonly Served[]>();
  readonly #followed = new Map<string, Set<CollectedKind>>();

  /** Keys that {@link look} is to be called with are put into the queue as `serve:NAME`. */
  constructor(context: ControllerContext, followers: Followers) {
    this.#context = context;
    this.#followers = followers;
    const changed = (service: KubeObject): void => {
      const { name = "" } = service.metadata;
      if (!isBehind(service)) this.#put(name, []);
      else if (isAvailable(service)) context.queue.add(`serve:${name}`);
    };
    context.informers.of(API_SERVICES).handle({
      added: changed,
      updated: changed,
      deleted: ({ metadata: { name = "" } }) => this.#put(name, []),
    });
  }

  /** The kind that a reference names; undefined where no server behind this one is known to serve it. */
  find(apiVersion: string, kind: string): CollectedKind | undefined {
    for (const kinds of this.#served.values()) {
      const found = kinds.find((one) => one.kind === kind && `${one.group}/${one.version}` === apiVersion);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Asks a server what it serves, and again later. */
  async look(name: string): Promise<void> {
    const service = this.#context.informers.of(API_SERVICES).get(name);
    if (service === undefined || !isBehind(service) || !isAvailable(service)) return;
    const kinds = await this.#ask(textAt(service, "spec", "group"), textAt(service, "spec", "version"));
    if (kinds !== undefined) this.#put(name, kinds);
    this.#context.queue.addAfter(`serve:${name}`, LOOK_MS);
  }

  /** Whether an answer that something is not there, without its name, comes from who would know. */
  async isServed({ group, version, resource }: CollectedKind): Promise<boolean> {
    return (await this.#ask(group, version))?.some((one) => one.resource === resource) === true;
  }

  /** @returns undefined where nobody answers */
  async #ask(group: string, version: string): Promise<readonly Served[] | undefined> {
    try {
      const list = await this.#context.client.getRaw(`/apis/${group}/${version}`);
      return listAt(list, "resources").flatMap((one) => {
        const resource = textAt(one, "name");
        if (!isObject(one) || resource === "" || resource.includes("/")) return [];
        const verbs = listAt(one, "verbs");
        const isCollected = NEEDED.every((verb) => verbs.includes(verb));
        const kind = { kind: textAt(one, "kind"), resource, namespaced: valueAt(one, "namespaced") === true };
        return [{ group, version, ...kind, isCollected }];
      });
    } catch (error) {
      if (statusOf(error as BoxshipError) === undefined) throw error;
      return undefined;
    }
  }

  #put(name: string, kinds: readonly Served[]): void {
    if (kinds.length > 0) this.#served.set(name, kinds);
    else this.#served.delete(name);
    const followed = this.#followed.get(name) ?? new Set<CollectedKind>();
    const wanted = new Map(kinds.filter((one) => one.isCollected).map((one) => [one.resource, one]));
    for (const kind of followed) {
      if (wanted.delete(kind.resource)) continue;
      followed.delete(kind);
      this.#followers.lose(kind);
    }
    for (const kind of wanted.values()) if (this.#followers.follow(kind)) followed.add(kind);
    if (followed.size > 0) this.#followed.set(name, followed);
    else this.#followed.delete(name);
  }
}

const isBehind = (service: KubeObject): boolean => isObject(valueAt(service, "spec", "service"));

const isAvailable = (service: KubeObject): boolean =>
  listAt(service, "status", "conditions").some(
    (one) => textAt(one, "type") === "Available" && textAt(one, "status") === "True",
  );
