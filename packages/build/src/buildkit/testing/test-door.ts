import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { createLogger, systemClock } from "@boxship/base";
import { type Metadata } from "@boxship/grpc";
import { tempDir } from "@boxship/testkit";
import type { BuildRequest, BuildResult, CallResult, ContextSource, ProgressEvent, Solver } from "../../contract.ts";
import { type BuildkitDoor, openBuildkitDoor } from "../door.ts";

/** A build as the solver got it, with what it read of the context. */
export interface SeenBuild {
  readonly request: BuildRequest;
  /** Text of files by path, of the context and `name/path` of named ones. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * A solver that builds nothing: it reads what it is given, and gives it back as outputs. For tests of the door alone;
 * tests of building use the real one.
 */
export class RecordingSolver implements Solver {
  readonly builds: SeenBuild[] = [];
  /** Whether the files of contexts are read, too. */
  reads = true;
  /** What else happens in a build. */
  during: (request: BuildRequest, progress: (event: ProgressEvent) => void, signal: AbortSignal) => Promise<void> =
    () => Promise.resolve();
  readonly cache: Solver["cache"] = {
    list: () => Promise.resolve([]),
    prune: () => Promise.resolve({ removed: [], reclaimed: 0 }),
  };

  call(_request: BuildRequest, call: string): Promise<CallResult> {
    return Promise.resolve({ json: "{}", text: call, status: 0 });
  }

  async build(
    request: BuildRequest,
    progress: (event: ProgressEvent) => void,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<BuildResult> {
    const digest = `sha256:${createHash("sha256").update("context").digest("hex")}`;
    progress({ kind: "vertex", vertex: { digest, inputs: [], name: "[internal] load build context" } });
    progress({ kind: "started", vertex: digest, time: Date.now() });
    const files: Record<string, string> = {};
    if (this.reads) await readContext(request.context, "", files, signal);
    else {
      await using _tree = await openTree(request.context, signal);
    }
    for (const [name, context] of Object.entries(request.contexts ?? {}))
      await readContext(context, `${name}/`, files, signal);
    progress({ kind: "completed", vertex: digest, time: Date.now(), cached: false });
    this.builds.push({ request, files });
    await this.during(request, progress, signal);
    for (const output of request.outputs ?? []) {
      if (output.kind === "oci" || output.kind === "docker" || output.kind === "tar") await output.write(bytes(files));
      if (output.kind === "local") {
        await using tree = await openTree(request.context, signal);
        await output.write({ path: tree.path });
      }
    }
    const imageId = `sha256:${createHash("sha256").update(JSON.stringify(files)).digest("hex")}`;
    return {
      imageId,
      warnings: [],
      metadata: { "containerimage.digest": imageId, "containerimage.config.digest": imageId },
    };
  }
}

async function* bytes(files: Readonly<Record<string, string>>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify(files));
}

function openTree(context: ContextSource, signal: AbortSignal) {
  if (context.kind !== "provider") throw new Error(`no tree in a context of kind ${context.kind}`);
  return context.open({ exclude: [], include: undefined }, signal);
}

async function readContext(
  context: ContextSource,
  prefix: string,
  files: Record<string, string>,
  signal: AbortSignal,
): Promise<void> {
  if (context.kind === "tar") {
    let size = 0;
    for await (const piece of context.stream) size += piece.length;
    files[`${prefix}tar`] = `${size} bytes`;
  }
  if (context.kind === "git" || context.kind === "http") files[`${prefix}${context.kind}`] = context.url;
  if (context.kind === "image") files[`${prefix}image`] = context.reference;
  if (context.kind !== "provider") return;
  await using tree = await openTree(context, signal);
  for (const entry of await readdir(tree.path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[`${prefix}${path.slice(tree.path.length + 1)}`] = (await readFile(path, "utf8")).slice(0, 200);
  }
}

export interface TestDoor extends AsyncDisposable {
  readonly door: BuildkitDoor;
  readonly socketPath: string;
  readonly directory: string;
}

/** The door behind as much of an engine as `docker buildx` asks for. */
export async function startTestDoor(solver: Solver): Promise<TestDoor> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("door"));
  const door = stack.use(
    openBuildkitDoor({
      solver,
      directory: directory.join("buildkit"),
      clock: systemClock,
      logger: createLogger({ level: "error" }),
      version: "test",
    }),
  );
  const server = createServer({ shouldUpgradeCallback: () => true }, (request, response) => {
    response.setHeader("Api-Version", "1.51").setHeader("Builder-Version", "2").setHeader("Ostype", "linux");
    const answers: Readonly<Record<string, unknown>> = {
      version: { Version: "28.0.0", ApiVersion: "1.51", MinAPIVersion: "1.24", Os: "linux", Arch: "amd64" },
      info: { ID: "test", OSType: "linux", Architecture: "x86_64", DriverStatus: [] },
    };
    const answer = answers[(request.url ?? "").replace(/^.*\//, "")];
    if (answer === undefined && !(request.url ?? "").endsWith("_ping")) response.statusCode = 404;
    response.setHeader("Content-Type", "application/json");
    response.end(answer === undefined ? "{}" : JSON.stringify(answer));
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (head.length > 0) socket.unshift(head);
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    if (request.url?.endsWith("/grpc") === true) door.grpc(socket);
    else door.session(socket, request.headersDistinct as Metadata);
  });
  const socketPath = directory.join("engine.sock");
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const owned = stack.move();
  return { door, socketPath, directory: directory.path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
