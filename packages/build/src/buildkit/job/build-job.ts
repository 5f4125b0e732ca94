import { randomBytes } from "node:crypto";
import { FailedPrecondition, InvalidArgument, NotFound, Unsupported } from "@boxship/base";
import { type ValueOf } from "@boxship/grpc";
import type { BuildRequest, BuildResult, CallResult, Output, ProgressEvent, Solver } from "../../contract.ts";
import type { ClientSession } from "../session/client-session.ts";
import type { ContextStore } from "../session/context-store.ts";
import { sessionAgent, sessionCredentials, sessionSecret } from "../session/providers.ts";
import type { SessionManager } from "../session/session-manager.ts";
import type { Definition } from "../wire/common.ts";
import type { BodyContexts } from "./body-contexts.ts";
import { type BuildInputs, buildInputs } from "./build-inputs.ts";
import { type CacheEntry, readCacheExport, readCacheImport } from "./cache-options.ts";
import { type FrontendOptions, parseFrontendOptions } from "./frontend-options.ts";
import type { LinkedImages } from "./linked-images.ts";
import type { Outputs } from "./outputs.ts";
import { type ResultReference, referencedResult } from "./result-reference.ts";
import { StatusLog } from "./status-log.ts";

/** What jobs share. */
export interface JobContext {
  readonly solver: Solver;
  readonly sessions: SessionManager;
  readonly contexts: ContextStore;
  readonly images: LinkedImages;
  readonly bodies: BodyContexts;
  /** Another job that is under way. */
  readonly job: (ref: string, signal: AbortSignal) => Promise<BuildJob>;
}

/** A request to the frontend: what is to be built, before it is known what for. */
export interface Run {
  readonly id: string;
  readonly frontendOptions: Readonly<Record<string, string>>;
  readonly options: FrontendOptions;
  /** Results of other builds, by the names that contexts use. */
  readonly inputs: ReadonlyMap<string, ResultReference>;
}

/**
 * One build of a client, `Control.Solve`. Clients that drive it ask for runs of the frontend meanwhile, and return the
 * one whose result is exported; then, and only then, it is built.
 */
export class BuildJob {
  readonly ref: string;
  readonly status = new StatusLog();
  readonly signal: AbortSignal;
  readonly entitlements: readonly string[];
  readonly #context: JobContext;
  readonly #sessionId: string;
  readonly #runs = new Map<string, Run>();
  /** What was wrong with the latest run, in our own words. */
  #failure: unknown;
  readonly #returned = Promise.withResolvers<Run | undefined>();

  constructor(
    context: JobContext,
    options: {
      readonly ref: string;
      readonly session: string;
      readonly entitlements: readonly string[];
      readonly signal: AbortSignal;
    },
  ) {
    this.#context = context;
    this.ref = options.ref;
    this.#sessionId = options.session;
    this.entitlements = options.entitlements;
    this.signal = options.signal;
    // Nobody may wait for it yet.
    this.#returned.promise.catch(() => {});
    options.signal.addEventListener("abort", () => this.#returned.reject(options.signal.reason), { once: true });
  }

  /** Takes a request to the frontend. @throws Unsupported and InvalidArgument, naming what is wrong */
  addRun(
    frontend: string,
    frontendOptions: Readonly<Record<string, string>>,
    inputs: Readonly<Record<string, ValueOf<typeof Definition>>>,
  ): Run {
    if (frontend !== "dockerfile.v0") {
      throw new Unsupported(`frontend ${frontend === "" ? "without a name" : frontend} is not supported`, {
        remedy: "the Containerfile's language is built in: leave BUILDKIT_SYNTAX out, and use no other frontend",
      });
    }
    const references = Object.entries(inputs).map(
      ([key, definition]) => [key, requireResult(key, definition)] as const,
    );
    const run: Run = {
      id: randomBytes(12).toString("hex"),
      frontendOptions,
      options: parseFrontendOptions(frontendOptions),
      inputs: new Map(references),
    };
    this.#runs.set(run.id, run);
    return run;
  }

  /** @throws NotFound */
  run(id: string): Run {
    const run = this.#runs.get(id);
    if (run === undefined) throw new NotFound(`no result ${id} in build ${this.ref}`);
    return run;
  }

  /** The client has chosen; undefined when there is nothing to export. */
  return(run: Run | undefined): void {
    this.#returned.resolve(run);
  }

  /** The client has given up. @param error its words, unless we know better */
  fail(error: unknown): void {
    this.#returned.reject(this.#failure ?? error);
  }

  get returned(): Promise<Run | undefined> {
    return this.#returned.promise;
  }

  /** Builds a run. */
  async build(run: Run, outputs: Outputs, cacheTo: readonly CacheEntry[] = []): Promise<BuildResult> {
    const { signal } = this;
    const session = await this.session();
    const ending = AbortSignal.any([signal, session.gone]);
    const progress = (event: ProgressEvent): void => this.status.add(event);
    const inputs = await this.#inputs(run, progress, ending);
    const request: BuildRequest = {
      ...run.options.request,
      ...outputs.request,
      ...inputs,
      cacheFrom: run.options.cacheImports.map((entry) => readCacheImport(entry, session)),
      cacheTo: cacheTo.map((entry) => readCacheExport(entry, session)),
      entitlements: readEntitlements(this.entitlements),
      outputs: outputs.outputs,
      secret: (id, secretSignal) => sessionSecret(session, id, secretSignal),
      ssh: (id, agentSignal) => sessionAgent(session, id, agentSignal),
      credentials: (host) => sessionCredentials(session, host),
    };
    try {
      return await this.#context.solver.build(request, progress, ending);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Answers a run that is a question. */
  async call(run: Run, call: string): Promise<CallResult> {
    const session = await this.session();
    const ending = AbortSignal.any([this.signal, session.gone]);
    const progress = (event: ProgressEvent): void => this.status.add(event);
    const inputs = await this.#inputs(run, progress, ending);
    const request: BuildRequest = {
      ...run.options.request,
      ...inputs,
      credentials: (host) => sessionCredentials(session, host),
    };
    return this.#context.solver.call(request, call, ending);
  }

  /** The image that a run makes, for another build; made once. */
  image(run: Run): Promise<string> {
    return this.#context.images.get(run.id, () => this.#makeImage(run));
  }

  /** Does what the client asked for; when it fails, the client will say so, and we know better why. */
  async attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** The client. @throws InvalidArgument, NotFound */
  session(): Promise<ClientSession> {
    if (this.#sessionId === "") throw new InvalidArgument("the build names no session");
    return this.#context.sessions.get(this.#sessionId, this.signal);
  }

  #inputs(run: Run, progress: (event: ProgressEvent) => void, signal: AbortSignal): Promise<BuildInputs> {
    return buildInputs({
      options: run.options,
      session: (directory) => this.#sessionOf(directory, run),
      contexts: this.#context.contexts,
      status: this.status,
      progress,
      body: (id) => this.#context.bodies.take(id),
      input: (key) => this.#input(run, key, signal),
      signal,
    });
  }

  async #makeImage(run: Run): Promise<string> {
    const output: Output = { kind: "image", names: [] };
    const { imageId } = await this.build(run, {
      outputs: [output],
      request: { annotations: {}, indexAnnotations: {} },
    });
    if (imageId === undefined) throw new FailedPrecondition(`build ${this.ref} made no image that another could use`);
    return imageId;
  }

  #sessionOf(directory: string, run: Run): Promise<ClientSession> {
    const id = run.options.directorySessions[directory];
    return id === undefined ? this.session() : this.#context.sessions.get(id, this.signal);
  }

  async #input(run: Run, key: string, signal: AbortSignal): Promise<string> {
    const reference = run.inputs.get(key);
    if (reference === undefined) throw new InvalidArgument(`input ${key} is missing`);
    const known = this.#context.images.find(reference.result);
    if (known !== undefined) return known;
    const job = await this.#context.job(reference.build, signal);
    return job.image(job.run(reference.result));
  }
}

function requireResult(key: string, definition: ValueOf<typeof Definition>): ResultReference {
  const reference = referencedResult(definition);
  if (reference !== undefined) return reference;
  throw new Unsupported(`input ${key} is a graph of operations (LLB), which is not supported`, {
    remedy: "name a directory, an image, a repository or another target as the context",
  });
}

function readEntitlements(names: readonly string[]): NonNullable<BuildRequest["entitlements"]> {
  return names.map((name) => {
    if (name === "network.host" || name === "security.insecure") return name;
    throw new Unsupported(`entitlement ${name} is not supported`);
  });
}
