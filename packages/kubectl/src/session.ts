import type { JsonObject } from "@boxship/api";
import type { Globals } from "./command.ts";
import { type ClusterChoice, chooseCluster } from "./config/connection.ts";
import { type ConfigFile, configPaths, mergeConfigs, readConfigFiles } from "./config/kubeconfig.ts";
import { Refusal } from "./failure.ts";
import { parseDuration } from "./flags.ts";
import type { Io } from "./io.ts";
import { Api } from "./request/api.ts";
import { discover } from "./resource/discovery.ts";
import { Mapper } from "./resource/mapper.ts";
import { userAgent } from "./version.ts";

/** What a command works with. Everything is made when it is first asked for. */
export class Session implements Disposable {
  readonly io: Io;
  readonly flags: Globals;
  /** Whether descriptions end with events. */
  showEvents = true;
  #files: Promise<readonly ConfigFile[]> | undefined;
  #cluster: Promise<ClusterChoice> | undefined;
  #api: Promise<Api> | undefined;
  #opened: Api | undefined;
  #mapper: Promise<Mapper> | undefined;

  constructor(io: Io, flags: Globals) {
    this.io = io;
    this.flags = flags;
  }

  print(line: string): void {
    this.io.stdout.write(`${line}\n`);
  }

  warn(line: string): void {
    this.io.stderr.write(`${line}\n`);
  }

  configFiles(): Promise<readonly ConfigFile[]> {
    this.#files ??= readConfigFiles(this.io, this.flags.kubeconfig);
    return this.#files;
  }

  async config(): Promise<JsonObject> {
    return mergeConfigs(await this.configFiles());
  }

  cluster(): Promise<ClusterChoice> {
    this.#cluster ??= (async () => {
      const path = configPaths(this.io, this.flags.kubeconfig)[0] ?? "";
      return await chooseCluster(this.io, await this.config(), path, this.flags);
    })();
    return this.#cluster;
  }

  async namespace(): Promise<string> {
    return (await this.cluster()).namespace;
  }

  api(): Promise<Api> {
    this.#api ??= this.#openApi();
    return this.#api;
  }

  /** The server's name in messages. */
  get host(): string {
    return this.#opened?.host ?? "";
  }

  async #openApi(): Promise<Api> {
    const { connection } = await this.cluster();
    this.#opened = new Api({
      connection,
      headers: { "user-agent": userAgent(), "accept-encoding": "gzip", ...this.#impersonation() },
      timeout: this.#timeout(),
      onWarning: (text) => this.warn(`Warning: ${text}`),
      onRequest: (method, url, status, milliseconds) => {
        if (this.flags.v >= 6) this.warn(`${method} ${url} ${status} in ${Math.round(milliseconds)} milliseconds`);
      },
      signal: this.io.signal,
    });
    return this.#opened;
  }

  #impersonation(): Readonly<Record<string, string | readonly string[]>> {
    const { as, "as-group": groups, "as-uid": uid, "as-user-extra": extra } = this.flags;
    if (as === "" && (groups.length > 0 || uid !== "" || extra.length > 0)) {
      throw new Refusal("requesting uid, groups or user-extra for without impersonating a user");
    }
    const headers: Record<string, string | readonly string[]> = {};
    if (as !== "") headers["impersonate-user"] = as;
    if (groups.length > 0) headers["impersonate-group"] = groups;
    if (uid !== "") headers["impersonate-uid"] = uid;
    for (const pair of extra) {
      const at = pair.indexOf("=");
      const header = `impersonate-extra-${encodeURIComponent(pair.slice(0, at))}`;
      headers[header] = [headers[header] ?? [], pair.slice(at + 1)].flat();
    }
    return headers;
  }

  #timeout(): number | undefined {
    const text = this.flags["request-timeout"];
    if (text === "0" || text === "") return undefined;
    const parsed = /^\d+$/.test(text) ? Number(text) * 1000 : parseDuration(text);
    if (parsed !== undefined) return parsed === 0 ? undefined : parsed;
    throw new Refusal(
      `Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)`,
    );
  }

  mapper(): Promise<Mapper> {
    this.#mapper ??= (async () => new Mapper(await discover(await this.api()), (text) => this.warn(text)))();
    return this.#mapper;
  }

  /** The server's kinds are asked for again: there may be new ones. */
  forgetDiscovery(): void {
    this.#mapper = undefined;
  }

  [Symbol.dispose](): void {
    this.#opened?.[Symbol.dispose]();
  }
}
