import { asBoxshipError } from "@boxship/base";
import { BuildError, type CacheMountStore, type CacheRecord, type Solver } from "../contract.ts";
import { remoteBuild } from "../remote/remote-door.ts";
import { type ClassicBuild, decodeClassicBuild } from "./classic-request.ts";
import { type ClassicMessage, ClassicStream } from "./classic-stream.ts";

/** What an HTTP server needs to serve Docker's classic builder. */
export interface ClassicDoor {
  /**
   * Builds, and tells of it message by message. Throws only before the first message; what goes wrong later is a message.
   */
  build(request: ClassicBuild, write: (message: unknown) => void, signal: AbortSignal): Promise<void>;
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
}

/**
 * The doors to a solver over HTTP.
 *
 * @param directory for files of builds that are under way
 */
export function classicDoor(solver: Solver & { readonly mounts: CacheMountStore }, directory: string): ClassicDoor {
  const running = new Map<string, AbortController>();
  return {
    build: (request, write, signal) => classicBuild(solver, running, request, write, signal),
    prune: (options) => solver.cache.prune(options),
    cancel: (buildId) => running.get(buildId)?.abort(),
    list: () => solver.cache.list(),
    mounts: solver.mounts,
    remote: (body, write, signal) => remoteBuild(solver, body, write, { directory, signal }),
  };
}

async function classicBuild(
  solver: Solver,
  running: Map<string, AbortController>,
  build: ClassicBuild,
  write: (message: ClassicMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  const { request, quiet, buildId, tags } = decodeClassicBuild(build);
  const controller = new AbortController();
  if (buildId !== undefined) running.set(buildId, controller);
  const held: ClassicMessage[] = [];
  let started = false;
  const say = (message: ClassicMessage) => {
    started = true;
    write(message);
  };
  const stream = new ClassicStream((message) => (quiet ? void held.push(message) : say(message)));
  try {
    const either = AbortSignal.any([signal, controller.signal]);
    const result = await solver.build(request, (event) => stream.push(event), either);
    const id = result.imageId ?? "";
    if (quiet) {
      write({ stream: `${id}\n` });
      return;
    }
    const told = result.warnings.filter(({ rule }) => rule === "UnusedBuildArgs" || rule === "CacheImport");
    for (const { message } of told) write({ stream: `[Warning] ${message}\n` });
    write({ aux: { ID: id } });
    write({ stream: `Successfully built ${id.replace(/^sha256:/, "").slice(0, 12)}\n` });
    for (const tag of tags) write({ stream: `Successfully tagged ${tag}\n` });
  } catch (error) {
    if (signal.aborted || (!started && held.length === 0)) throw error;
    const failure = error instanceof BuildError ? error.failure : undefined;
    stream.end(failure?.vertex);
    for (const message of held) write(message);
    const { message } = asBoxshipError(error);
    const code = failure?.exitCode === undefined ? {} : { code: failure.exitCode };
    write({ errorDetail: { ...code, message }, error: message });
  } finally {
    if (buildId !== undefined) running.delete(buildId);
  }
}
