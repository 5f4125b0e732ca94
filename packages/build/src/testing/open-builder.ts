import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { silentLogger, systemClock } from "@boxship/base";
import { Engine, type EngineOptions } from "@boxship/engine";
import { adoptOrphans, releaseMountsBelow } from "@boxship/kernel";
import { tempDir } from "@boxship/testkit";
import type { BuildRequest, BuildResult, ProgressEvent } from "../contract.ts";
import { Builder } from "../solver/builder.ts";

/** A builder on an engine of its own, in this process, with `busybox:latest` in it. */
export interface TestBuilder extends AsyncDisposable {
  readonly engine: Engine;
  readonly builder: Builder;
  readonly root: string;
  /** A directory with these files, as a context. */
  context(files?: Readonly<Record<string, string | Buffer>>): Promise<string>;
  /** Builds a Containerfile on a directory; what happened comes along. */
  build(file: string, options?: TestBuildOptions): Promise<Built>;
  /** Runs a shell command in an image by its id, and returns what it wrote. */
  run(image: string, script: string): Promise<string>;
}

export interface TestBuildOptions extends Partial<Omit<BuildRequest, "file" | "context">> {
  /** @default an empty directory */
  readonly context?: string | BuildRequest["context"];
  readonly name?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: ProgressEvent) => void;
}

export interface Built extends BuildResult {
  readonly imageId: string;
  readonly events: readonly ProgressEvent[];
  /** All output of commands. */
  readonly output: string;
  /** Texts of the steps that were found in the cache, and of those that were done. */
  readonly cached: readonly string[];
  readonly done: readonly string[];
}

export interface TestBuilderOptions {
  /** As in an unprivileged container. */
  readonly confined?: EngineOptions["confined"];
}

export async function openTestBuilder({ confined }: TestBuilderOptions = {}): Promise<TestBuilder> {
  await using stack = new AsyncDisposableStack();
  const name = `bx${randomBytes(3).toString("hex")}`;
  const directory = stack.use(tempDir(`builder-${name}`));
  const runDir = `/run/boxship-${name}`;
  const root = directory.join("root");
  await mkdir(root, { recursive: true });
  await mkdir(runDir, { recursive: true });
  stack.defer(async () => {
    // What the engine shares with runtimes.
    await releaseMountsBelow(runDir);
    await rm(runDir, { recursive: true, force: true });
  });
  const own = confined === undefined ? {} : { confined };
  if (confined !== undefined) stack.use(adoptOrphans());
  const engine = stack.use(await Engine.open({ root, runDir, name, ...own, clock: systemClock, logger: silentLogger }));
  stack.defer(() => engine.reset());
  await engine.images.bootstrap("busybox", () => {});
  const builder = stack.use(await Builder.open(engine.parts));
  const contexts = directory.join("contexts");
  await mkdir(contexts);
  const owned = stack.move();
  const context = async (files: Readonly<Record<string, string | Buffer>> = {}) => {
    const path = await mkdtemp(join(contexts, "c-"));
    for (const [file, content] of Object.entries(files)) {
      await mkdir(dirname(join(path, file)), { recursive: true });
      await writeFile(join(path, file), content);
    }
    return path;
  };
  return {
    engine,
    builder,
    root,
    context,
    build: async (file, options = {}) =>
      build(builder, file, { ...options, context: options.context ?? (await context()) }),
    run: async (image, script) => {
      const command = JSON.stringify(["/bin/sh", "-c", script]);
      const file = `FROM ${image.replace(/^sha256:/, "")}\nUSER 0\nWORKDIR /\nRUN ${command}\n`;
      const empty = await context();
      const { output } = await build(builder, file, { context: empty, noCache: true, outputs: [{ kind: "none" }] });
      return output;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function build(
  builder: Builder,
  file: string,
  options: TestBuildOptions & { readonly context: string | BuildRequest["context"] },
): Promise<Built> {
  const { context, name = "Containerfile", signal, onEvent, ...rest } = options;
  const events: ProgressEvent[] = [];
  const texts = new Map<string, string>();
  const [cached, done]: [string[], string[]] = [[], []];
  let output = "";
  const result = await builder.build(
    {
      file: { kind: "bytes", name, bytes: Buffer.from(file) },
      context: typeof context === "string" ? { kind: "directory", path: context } : context,
      ...rest,
    },
    (event) => {
      events.push(event);
      if (event.kind === "vertex" && event.vertex.step !== undefined) {
        texts.set(event.vertex.digest, event.vertex.step.text);
      }
      if (event.kind === "log") output += event.data.toString();
      const text = event.kind === "completed" ? texts.get(event.vertex) : undefined;
      if (event.kind === "completed" && text !== undefined) (event.cached ? cached : done).push(text);
      onEvent?.(event);
    },
    signal,
  );
  return { ...result, imageId: result.imageId ?? "", events, output, cached, done };
}
