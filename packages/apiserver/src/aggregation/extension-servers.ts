import { isIP } from "node:net";
import { failure, type JsonObject, type KubeObject, listAt, statusOf, textAt, timestamp, valueAt } from "@boxship/api";
import { asBoxshipError, errorMessage, parseDuration, type Timer } from "@boxship/base";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { KeyPair } from "../certificates/issue-certificate.ts";
import type { RequestInfo, User } from "../contract.ts";
import type { Incoming } from "../http/read-body.ts";
import type { RemoteHooks } from "../http/remote-hooks.ts";
import type { Reply } from "../http/reply.ts";
import type { ServerContext } from "../server-context.ts";
import { followResource } from "../storage/follow-resource.ts";
import { builtinKind } from "../storage/read-objects.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { type Availability, askDiscovery } from "./ask-discovery.ts";
import { type Extension, extensionOf, renewClient } from "./extension.ts";
import { askDocument, askDocumentUrl } from "./extension-openapi.ts";
import { type ForwardTarget, forwardRequest } from "./forward-request.ts";

const GROUP = "apiregistration.k8s.io";
/** Between two looks at a server that answers, and at one that does not. */
const LOOK_MS = { available: 30_000, unavailable: 3000 } as const;
const LONGEST_REQUEST_MS = 60_000;
/** Where an APIService's service and its addresses are. */
const BEHIND = ["/registry/core/services/", "/registry/discovery.k8s.io/endpointslices/"];

export interface ExtensionServersOptions {
  readonly context: ServerContext;
  readonly hooks: RemoteHooks;
  /** What we are known by to them. @default nothing */
  readonly client?: KeyPair;
}

/**
 * Servers of the API that serve versions of their own behind this one. Versions that are served here are never theirs:
 * whatever they do, what a cluster begins with works.
 */
export class ExtensionServers implements Disposable {
  readonly #options: ExtensionServersOptions;
  #client: KeyPair | undefined;
  readonly #byName = new Map<string, Extension>();
  readonly #timers = new Map<string, Timer>();
  #following: Disposable[] = [];
  #disposed = false;
  /** Changes with what discovery tells. */
  generation = 0;

  private constructor(options: ExtensionServersOptions) {
    this.#options = options;
    this.#client = options.client;
  }

  static async open(options: ExtensionServersOptions): Promise<ExtensionServers> {
    const servers = new ExtensionServers(options);
    const { context } = options;
    const kind = builtinKind(context, GROUP, "apiservices");
    servers.#following = [
      await followResource(context, kind, {
        begin(cache) {
          for (const object of cache.between("", "")) servers.#take(object.parse());
        },
        changed({ object, deleted }) {
          const parsed = object.parse();
          if (deleted) servers.#forget(parsed.metadata.name ?? "");
          else servers.#take(parsed);
        },
      }),
      context.objects.onChanged((keys) => servers.#behind(keys)),
    ];
    return servers;
  }

  /** Those that serve what is not served here. */
  all(): readonly Extension[] {
    const { kinds } = this.#options.context;
    return [...this.#byName.values()].filter(({ group, version }) => !kinds.serves(group, version));
  }

  /** What we are known by to them from now on. */
  renew(client: KeyPair): void {
    if (client.certificate === this.#client?.certificate) return;
    this.#client = client;
    for (const extension of this.#byName.values()) renewClient(extension, client);
  }

  #take(object: KubeObject): void {
    const name = object.metadata.name ?? "";
    const before = this.#byName.get(name);
    if (before?.text === JSON.stringify(valueAt(object, "spec"))) return;
    this.#forget(name);
    const extension = extensionOf(object, this.#client);
    if (extension === undefined) {
      const [told] = listAt(object, "status", "conditions");
      if (textAt(told, "reason") !== "Local")
        void this.#tell(name, { reason: "Local", message: "Local APIServices are always available", available: true });
      return;
    }
    this.#byName.set(name, extension);
    this.generation++;
    void this.#look(extension);
  }

  #forget(name: string): void {
    const gone = this.#byName.get(name);
    if (gone === undefined) return;
    gone.agent.destroy();
    this.#byName.delete(name);
    this.#timers.get(name)?.[Symbol.dispose]();
    this.#timers.delete(name);
    this.generation++;
  }

  #behind(keys: readonly string[]): void {
    if (this.#byName.size === 0 || !keys.some((key) => BEHIND.some((prefix) => key.startsWith(prefix)))) return;
    for (const extension of this.#byName.values()) void this.#look(extension);
  }

  /** Asks whether it is there, and what it serves; and again later. */
  async #look(extension: Extension): Promise<void> {
    const { name, service } = extension;
    const found = await askDiscovery(extension, () => this.#targetOf(extension), {
      context: this.#options.context,
      service: valueAt(service, "service") as JsonObject,
    });
    if (this.#byName.get(name) !== extension || this.#disposed) return;
    const resources = found.resources ?? extension.resources;
    const documentUrl = found.available
      ? await askDocumentUrl(extension, await this.#targetOf(extension)).catch(() => undefined)
      : extension.documentUrl;
    if (
      found.available !== extension.available ||
      documentUrl !== extension.documentUrl ||
      JSON.stringify(resources) !== JSON.stringify(extension.resources)
    ) {
      extension.documentUrl = documentUrl;
      extension.available = found.available;
      extension.resources = resources;
      this.generation++;
    }
    this.#later(name, found.available ? LOOK_MS.available : LOOK_MS.unavailable, () => void this.#look(extension));
    await this.#tell(name, found);
  }

  /** @throws Unavailable */
  async #targetOf({ service, agent }: Extension): Promise<ForwardTarget> {
    const { url, serverName = "" } = await this.#options.hooks.addressOf(service);
    const { origin, hostname } = new URL(url);
    return { origin, agent, host: isIP(hostname) === 0 && serverName === "" ? hostname : serverName };
  }

  async #tell(name: string, found: Availability): Promise<void> {
    const { context } = this.#options;
    const kind = builtinKind(context, GROUP, "apiservices");
    try {
      await modifyObject(context, systemRequest(kind, "", name, "status"), SYSTEM_WRITE, {
        change(old) {
          delete old.metadata.resourceVersion;
          const conditions = listAt(old, "status", "conditions");
          const before = conditions.find((one) => textAt(one, "type") === "Available");
          const status = found.available ? "True" : "False";
          const { reason, message } = found;
          const same = textAt(before, "status") === status;
          const since = same ? textAt(before, "lastTransitionTime") : timestamp(context.clock.now());
          const condition = { lastTransitionTime: since, message, reason, status, type: "Available" };
          return { ...old, status: { conditions: [...conditions.filter((one) => one !== before), condition] } };
        },
        track: () => {},
      });
    } catch (error) {
      const { reason } = statusOf(asBoxshipError(error)) ?? {};
      if (this.#disposed || reason === "NotFound") return;
      context.logger.warn(`the availability of APIService ${name} could not be told: ${errorMessage(error)}`);
    }
  }

  #later(name: string, milliseconds: number, what: () => void): void {
    this.#timers.get(name)?.[Symbol.dispose]();
    if (!this.#disposed) this.#timers.set(name, this.#options.context.clock.setTimeout(milliseconds, what));
  }

  /** A document that another server has of what it serves. @returns undefined where it does not answer */
  async document(extension: Extension, path: string): Promise<JsonObject | undefined> {
    if (!extension.available) return undefined;
    try {
      return await askDocument(await this.#targetOf(extension), path);
    } catch {
      return undefined;
    }
  }

  #of(path: string): Extension | undefined {
    if (this.#byName.size === 0 || !path.startsWith("/apis/")) return undefined;
    const [, , group, version] = path.split("/");
    return this.all().find((one) => one.group === group && one.version === version);
  }

  /**
   * The answer of another server, where the path is one of its own.
   *
   * @throws ServiceUnavailable for one that is not available
   */
  reply(
    path: string,
    info: RequestInfo,
    query: URLSearchParams,
    user: User,
    request: Incoming,
  ): Promise<Reply> | undefined {
    const extension = this.#of(path);
    return extension === undefined ? undefined : this.#forwarded(extension, info, query, user, request);
  }

  async #forwarded(
    extension: Extension,
    { verb }: RequestInfo,
    query: URLSearchParams,
    user: User,
    request: Incoming,
  ): Promise<Reply> {
    if (!extension.available) throw failure("ServiceUnavailable", "service unavailable");
    const target = await this.#targetOf(extension);
    return forwardRequest(request, target, { user, watch: verb === "watch", timeoutMs: timeLimit(query) });
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const each of this.#following) each[Symbol.dispose]();
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    for (const { agent } of this.#byName.values()) agent.destroy();
  }
}

/** What a client is willing to wait, within bounds. */
function timeLimit(query: URLSearchParams): number {
  try {
    const asked = parseDuration(query.get("timeout") ?? "") / 1e6;
    return asked > 0 ? Math.min(asked, LONGEST_REQUEST_MS) : LONGEST_REQUEST_MS;
  } catch {
    return LONGEST_REQUEST_MS;
  }
}
