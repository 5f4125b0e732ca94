import type { Duplex } from "node:stream";
import { asBoxshipError } from "@boxship/base";
import { BuildError, type CacheMountStore, type CacheRecord, type Solver } from "../contract.ts";
import { AskedStreams } from "../remote/asked-streams.ts";
import { remoteBuild } from "../remote/remote-door.ts";
import { type ClassicBuild, decodeClassicBuild } from "./classic-request.ts";
import { CLIPPED, type ClassicMessage, ClassicStream, type WriteMessage } from "./classic-stream.ts";

/** What an HTTP server needs to serve Docker's classic builder. */
export interface ClassicDoor {
  /**
   * Builds, and tells of it message by message. Throws only before the first message; what goes wrong later is a message.
   */
  build(request: ClassicBuild, write: (message: unknown) => Promise<void> | void, signal: AbortSignal): Promise<void>;
  /** `POST /build/prune`. */
  prune(options: {
    readonly all: boolean;
    readonly keepBytes: number;
    readonly olderThan: number;
    readonly matches: (record: CacheRecord) => boolean;
  }): Promise<{ readonly removed: readonly CacheRecord[]; readonly reclaimed: number }>;
  /** `POST /build/cancel`. Ends the build of that id; none is no error. */
  cancel(buildId: string): void;
  list(): Promise<readonly CacheRecord[]>;
  readonly mounts: CacheMountStore;
  /** `POST /boxship/build`, as {@link RemoteBuild} says. Throws only before the first message. */
  remote(
    body: AsyncIterable<Uint8Array>,
    write: (message: unknown) => Promise<void> | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** `POST /boxship/build-streams/{token}`: who takes the connection that a build asked for; undefined for nobody. */
  stream(token: string): ((stream: Duplex) => void) | undefined;
}

/**
 * The doors to a solver over HTTP.
 *
 * @param directory for files of builds that are under way
 */
export function classicDoor(solver: Solver & { readonly mounts: CacheMountStore }, directory: string): ClassicDoor {
  const running = new Map<string, AbortController>();
  const streams = new AskedStreams();
  return {
    build: (request, write, signal) => classicBuild(solver, running, request, write, signal),
    prune: (options) => solver.cache.prune(options),
    cancel: (buildId) => running.get(buildId)?.abort(),
    list: () => solver.cache.list(),
    mounts: solver.mounts,
    remote: (body, write, signal) => remoteBuild(solver, body, write, { directory, signal, streams }),
    stream: (token) => streams.take(token),
  };
}

async function classicBuild(
  solver: Solver,
  running: Map<string, AbortController>,
  build: ClassicBuild,
  write: WriteMessage,
  signal: AbortSignal,
): Promise<void> {
  const { request, quiet, buildId, tags } = decodeClassicBuild(build);
  const controller = new AbortController();
  if (buildId !== undefined) running.set(buildId, controller);
  const held = new HeldMessages();
  let started = false;
  const say = (message: ClassicMessage) => {
    started = true;
    return write(message);
  };
  const stream = new ClassicStream((message) => (quiet ? held.push(message) : say(message)));
  try {
    const either = AbortSignal.any([signal, controller.signal]);
    const result = await solver.build(request, (event) => stream.push(event), either);
    const id = result.imageId ?? "";
    if (quiet) {
      void write({ stream: `${id}\n` });
      return;
    }
    const told = result.warnings.filter(({ rule }) => rule === "UnusedBuildArgs" || rule === "CacheImport");
    for (const { message } of told) void write({ stream: `[Warning] ${message}\n` });
    void write({ aux: { ID: id } });
    void write({ stream: `Successfully built ${id.replace(/^sha256:/, "").slice(0, 12)}\n` });
    for (const tag of tags) void write({ stream: `Successfully tagged ${tag}\n` });
  } catch (error) {
    if (signal.aborted || (!started && held.all.length === 0)) throw error;
    const failure = error instanceof BuildError ? error.failure : undefined;
    stream.end(failure?.vertex);
    for (const message of held.all) void write(message);
    const { message } = asBoxshipError(error);
    const code = failure?.exitCode === undefined ? {} : { code: failure.exitCode };
    void write({ errorDetail: { ...code, message }, error: message });
  } finally {
    if (buildId !== undefined) running.delete(buildId);
  }
}

/** Output that is kept for a quiet build's failure. */
const HELD_BYTES = 2 << 20;

/** What a quiet build shows when it fails. */
class HeldMessages {
  readonly all: ClassicMessage[] = [];
  #bytes = 0;

  push(message: ClassicMessage): void {
    const before = this.#bytes;
    this.#bytes += "stream" in message ? message.stream.length : 0;
    if (this.#bytes <= HELD_BYTES) this.all.push(message);
    else if (before <= HELD_BYTES) this.all.push({ stream: CLIPPED });
  }
}
