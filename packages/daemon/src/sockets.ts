import { lstat, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  AlreadyExists,
  asBoxshipError,
  FailedPrecondition,
  InvalidArgument,
  type Logger,
  setAside,
  socketAnswers,
  writeFileAtomic,
} from "@boxship/base";
import {
  type CreateSocketRequest,
  createDockerApiServer,
  type DockerApiOptions,
  type DockerApiServer,
  parseRole,
  type Role,
  type SocketsApi,
  type SocketView,
} from "@boxship/docker-api";
import type { SocketOptions } from "./config-file.ts";
import { listenUnix } from "./listen-unix.ts";

export interface SocketsOptions {
  /** Where the sockets that were made by request are kept. */
  readonly file: string;
  /** Where sockets are that name no path. */
  readonly runDir: string;
  readonly configured: Readonly<Record<string, SocketOptions>>;
  readonly logger: Logger;
  /** What a door of that role is served with. */
  readonly door: (role: Role) => DockerApiOptions;
}

interface Served extends SocketView {
  readonly api: DockerApiServer;
  readonly request: CreateSocketRequest;
}

/**
 * The sockets beside the engine's own. What is made by request is in a file before it is acknowledged, and is served
 * again after a restart; changes go one after another.
 */
export class Sockets implements SocketsApi, AsyncDisposable {
  readonly #options: SocketsOptions;
  readonly #served = new Map<string, Served>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /**
   * Serves what is configured and what was made before. One that was made before and cannot be served any more (its
   * group is gone, say) is logged; one of the configuration is an error.
   */
  static async open(options: SocketsOptions): Promise<Sockets> {
    const sockets = new Sockets(options);
    try {
      for (const [name, socket] of Object.entries(options.configured)) await sockets.#serve({ name, ...socket }, true);
      for (const request of await readRequests(options.file, options.logger)) await sockets.#serveAgain(request);
    } catch (error) {
      await sockets[Symbol.asyncDispose]();
      throw error;
    }
    return sockets;
  }

  list(): readonly SocketView[] {
    return [...this.#served.values()];
  }

  create(request: CreateSocketRequest): Promise<SocketView> {
    return this.#inTurn(async () => {
      if (this.#served.has(request.name)) {
        throw new AlreadyExists(`socket ${request.name} exists already`, {
          subject: { kind: "socket", name: request.name },
        });
      }
      const served = await this.#serve(request, false);
      await this.#save();
      return served;
    });
  }

  remove(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const served = this.#served.get(name);
      if (served === undefined) return;
      if (served.configured) {
        throw new FailedPrecondition(`socket ${name} is written in the configuration file`, {
          subject: { kind: "socket", name },
          remedy: "take it out of there and restart the engine",
        });
      }
      this.#served.delete(name);
      await this.#save();
      await close(served);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await Promise.all([...this.#served.values()].map(close));
    this.#served.clear();
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.catch(() => {}).then(task);
    this.#last = turn;
    return turn;
  }

  async #serveAgain(request: CreateSocketRequest): Promise<void> {
    if (this.#served.has(request.name)) return;
    try {
      await this.#serve(request, false);
    } catch (error) {
      const { message, remedy } = asBoxshipError(error);
      this.#options.logger.error(`socket ${request.name} is not served: ${message}`, { remedy });
    }
  }

  async #serve(request: CreateSocketRequest, configured: boolean): Promise<Served> {
    const role = parseRole(request);
    const path = request.path ?? join(this.#options.runDir, `${role.name}.sock`);
    if (["engine", "daemon"].includes(role.name)) {
      throw new InvalidArgument(`the name ${role.name} is the engine's own`, {
        subject: { kind: "socket", name: role.name },
      });
    }
    if (!path.startsWith("/")) {
      throw new InvalidArgument(`socket ${role.name}: its path ${path} is not absolute`);
    }
    await requireFree(path);
    const api = createDockerApiServer(this.#options.door(role));
    try {
      await listenUnix(api.server, path, request.group, this.#options.logger);
    } catch (error) {
      await api.close();
      throw error;
    }
    const { group } = request;
    const served = { role, path, configured, api, request, ...(group === undefined ? {} : { group }) };
    this.#served.set(role.name, served);
    return served;
  }

  async #save(): Promise<void> {
    const requests = [...this.#served.values()].filter(({ configured }) => !configured).map(({ request }) => request);
    await writeFileAtomic(this.#options.file, `${JSON.stringify(requests)}\n`, { mode: 0o600 });
  }
}

async function close({ api, path }: Served): Promise<void> {
  await api.close();
  await rm(path, { force: true });
}

async function readRequests(file: string, logger: Logger): Promise<readonly CreateSocketRequest[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  try {
    const requests: unknown = JSON.parse(text);
    if (!Array.isArray(requests)) throw new SyntaxError("it holds no list of sockets");
    return requests as readonly CreateSocketRequest[];
  } catch (error) {
    await setAside(file, "the list of sockets", error, logger);
    return [];
  }
}

/** Only a socket that nobody listens on is replaced: never a file, never another engine's socket. */
export async function requireFree(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new InvalidArgument(`cannot use ${path}: ${error.message}`, { cause: error });
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw new FailedPrecondition(`${path} exists already and is no socket`);
  if (await socketAnswers(path)) throw new FailedPrecondition(`another program listens on ${path}`);
}
