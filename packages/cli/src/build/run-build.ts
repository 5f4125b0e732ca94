import { once } from "node:events";
import { PassThrough, Readable, type Writable } from "node:stream";
import type { BuildFailure, BuildWarning, CallResult, RemoteBuild, RemoteMessage } from "@boxship/build";
import { type TarInput, writeTar } from "@boxship/oci/tar";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { jsonValues } from "../stream/json-lines.ts";
import { type CacheTarget, CacheWriter } from "./caches.ts";
import { type BuildOutput, keepOutput } from "./outputs.ts";
import { packContext } from "./pack-context.ts";
import type { BuildEvent, BuildProgress } from "./progress.ts";
import type { BuildSources } from "./read-sources.ts";
import { type Agents, bringAgent } from "./ssh-agents.ts";

export interface BuildAnswer {
  readonly imageId?: string;
  readonly digest?: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly warnings: readonly BuildWarning[];
  /** Where a question was asked instead. */
  readonly call?: CallResult;
}

/** A build failed; what it was doing comes along. */
export class BuildFailed extends Failure {
  readonly failure: BuildFailure | undefined;

  constructor(message: string, remedy: string | undefined, failure: BuildFailure | undefined) {
    super(`failed to solve: ${message}`, { status: failure?.exitCode ?? 1, remedy });
    this.failure = failure;
  }
}

/** What of this side a build needs, and where it is shown. */
export interface BuildEnds {
  readonly caches: readonly CacheTarget[];
  readonly agents: Agents;
  readonly progress: BuildProgress;
}

/** Sends a build and shows it until it ends. @throws BuildFailed */
export async function runBuild(
  context: Context,
  build: RemoteBuild,
  sources: BuildSources,
  outputs: readonly BuildOutput[],
  { caches, agents, progress }: BuildEnds,
): Promise<BuildAnswer> {
  const head = Buffer.from(JSON.stringify(build));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  async function* body(): AsyncGenerator<Buffer> {
    yield Buffer.concat([length, head]);
    if (sources.archive !== undefined) yield* framed(sources.archive);
    yield* writeTar(members(sources));
  }
  const response = await context.api.open("POST", "/boxship/build", {
    stream: Readable.from(body(), { objectMode: false }),
    headers: { "Content-Type": "application/octet-stream" },
  });
  await using sinks = new Sinks(context, outputs);
  await using owned = new AsyncDisposableStack();
  const writers = caches.map((target) => owned.use(new CacheWriter(target)));
  let answer: BuildAnswer | undefined;
  try {
    for await (const value of jsonValues(response.body)) {
      const message = value as RemoteMessage;
      if ("event" in message) progress.push(message.event as BuildEvent);
      else if ("agent" in message) bringAgent(context, agents, message, owned);
      else if ("output" in message) await sinks.write(message.output, Buffer.from(message.data, "base64"));
      else if ("cache" in message) await writeCache(writers[message.cache], message);
      else if ("call" in message) answer = { metadata: {}, warnings: [], call: message.call };
      else if ("result" in message) answer = message.result;
      else {
        const { message: text, remedy, failure } = message.error;
        throw new BuildFailed(text, remedy, failure as BuildFailure | undefined);
      }
    }
  } finally {
    progress.end();
  }
  if (answer === undefined) throw new Failure("the engine ended the build without a result");
  await sinks.end();
  return answer;
}

async function writeCache(
  writer: CacheWriter | undefined,
  message: Extract<RemoteMessage, { readonly cache: number }>,
): Promise<void> {
  if (writer === undefined) throw new Failure("the engine sends a cache that nobody asked for");
  if ("manifest" in message) await writer.finish(message.manifest);
  else await writer.write(message.blob, Buffer.from(message.data, "base64"));
}

/** Pieces with their lengths before them; a length of 0 ends them. */
async function* framed(archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const lengthOf = (length: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    return bytes;
  };
  for await (const piece of archive) if (piece.length > 0) yield Buffer.concat([lengthOf(piece.length), piece]);
  yield lengthOf(0);
}

async function* members({ directories }: BuildSources): AsyncGenerator<TarInput> {
  for (const { path, prefix, ignore } of directories) yield* packContext(path, prefix, ignore);
}

/** What outputs send back, each into its place. */
class Sinks implements AsyncDisposable {
  readonly #context: Context;
  readonly #outputs: readonly BuildOutput[];
  readonly #open = new Map<number, { readonly stream: Writable; readonly done: Promise<unknown> }>();

  constructor(context: Context, outputs: readonly BuildOutput[]) {
    this.#context = context;
    this.#outputs = outputs;
  }

  async write(index: number, bytes: Buffer): Promise<void> {
    const { stream, done } = this.#sink(index);
    if (!stream.write(bytes)) await Promise.race([once(stream, "drain"), done]);
  }

  #sink(index: number): { readonly stream: Writable; readonly done: Promise<unknown> } {
    const known = this.#open.get(index);
    if (known !== undefined) return known;
    const output = this.#outputs[index];
    if (output === undefined) throw new Failure("the engine sends an output that nobody asked for");
    const stream = new PassThrough();
    const done = keepOutput(this.#context, output, stream);
    done.catch(() => {});
    const sink = { stream, done };
    this.#open.set(index, sink);
    return sink;
  }

  /** All is written. */
  async end(): Promise<void> {
    for (const { stream, done } of this.#open.values()) {
      stream.end();
      await done;
    }
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stream, done } of this.#open.values()) {
      stream.destroy();
      await done.catch(() => {});
    }
  }
}
