import type { Duplex } from "node:stream";
import { FailedPrecondition, hideCredentials, NotFound, Unsupported } from "@boxship/base";
import {
  type Handler,
  type Init,
  type Metadata,
  onlyRequest,
  type ServerCall,
  statusOf,
  streaming,
  unary,
  type ValueOf,
} from "@boxship/grpc";
import type { BuildCache, BuildResult } from "../../contract.ts";
import { BuildJob, type JobContext } from "../job/build-job.ts";
import type { CacheEntry } from "../job/cache-options.ts";
import { errorDetails } from "../job/error-details.ts";
import type { JobRegistry } from "../job/job-registry.ts";
import { type ExporterRequest, readOutputs } from "../job/outputs.ts";
import { CallStream } from "../session/call-stream.ts";
import type { WorkerRecord } from "../wire/common.ts";
import { type BuildHistoryEvent, type BuildHistoryRequest, Control, type SolveRequest } from "../wire/control.ts";
import type { HistoryEvent, HistoryStore } from "./history-store.ts";
import { usageRecord } from "./usage.ts";
import { usageFilter } from "./usage-filter.ts";

export interface ControlOptions {
  readonly jobs: JobRegistry;
  readonly jobContext: JobContext;
  readonly cache: BuildCache;
  readonly history: HistoryStore;
  /** Takes a client that serves through a call instead of on a connection of its own. */
  readonly acceptSession: (stream: Duplex, metadata: Metadata) => void;
  /** This machine, as the only worker. */
  readonly worker: () => Init<ValueOf<typeof WorkerRecord>>;
}

type Solve = ValueOf<typeof SolveRequest>;

/** `moby.buildkit.v1.Control`. */
export function controlService(options: ControlOptions): readonly Handler[] {
  return [
    unary(Control.solve, (request, call) => solve(options, request, call.signal)),
    streaming(Control.status, (call) => status(options, call)),
    unary(Control.info, () => Promise.resolve({ buildkitVersion: options.worker().buildkitVersion })),
    unary(Control.listWorkers, () => Promise.resolve({ record: [options.worker()] })),
    unary(Control.diskUsage, async ({ filter }) => {
      const matches = usageFilter(filter);
      return { record: (await options.cache.list()).filter(matches).map(usageRecord) };
    }),
    streaming(Control.prune, async (call) => {
      const request = await onlyRequest(call, Control.prune.path);
      if (request.minFreeSpace !== 0) throw new Unsupported("pruning by free space is not supported");
      const { removed } = await options.cache.prune({
        all: request.all,
        keepBytes: Math.max(request.reservedSpace, request.maxUsedSpace),
        olderThan: request.keepDuration / 1e6,
        matches: usageFilter(request.filter),
      });
      for (const record of removed) await call.send(usageRecord(record));
    }),
    streaming(Control.session, async (call) => {
      const stream = new CallStream({
        responses: call.requests,
        send: (message) => call.send(message),
        endRequests: () => {},
        [Symbol.dispose]: () => {},
      });
      // Whoever serves here is gone with the call, and the call with whoever serves.
      call.signal.addEventListener("abort", () => stream.destroy(), { once: true });
      options.acceptSession(stream, call.metadata);
      await new Promise<void>((resolve) => stream.once("close", resolve));
    }),
    streaming(Control.listenBuildHistory, (call) => listen(options.history, call)),
    unary(Control.updateBuildHistory, async ({ ref, pinned, delete: forget, finalize }) => {
      const done = forget ? await options.history.forget(ref) : finalize || (await options.history.pin(ref, pinned));
      if (!done) throw new NotFound(`no build ${ref} in the history`);
      return {};
    }),
  ];
}

/** One build from its begin to its export. */
export async function solve(
  options: ControlOptions,
  request: Solve,
  signal: AbortSignal,
): Promise<{ readonly exporterResponse: Readonly<Record<string, string>> }> {
  if (request.definition !== undefined && request.definition.operations.length > 0)
    throw new Unsupported("building a graph of operations (LLB) is not supported", { remedy: "build a Containerfile" });
  const { jobs, history } = options;
  const job = new BuildJob(options.jobContext, {
    ref: request.ref,
    session: request.session,
    entitlements: request.entitlements,
    signal,
  });
  using _registered = jobs.add(job);
  const exporters = exportersOf(request);
  if (!request.internal) history.begin({ ref: request.ref, exporters: exporters.map(wireExporter) });
  try {
    const result = await runJob(job, request, exporters);
    job.status.end();
    const exporterResponse = responseOf(result);
    await history.complete(
      job.ref,
      { ...steps(job), ...(await frontendAttributes(job)), exporterResponse },
      job.status.messages,
    );
    return { exporterResponse };
  } catch (error) {
    job.status.end();
    job.fail(error);
    const failure = statusOf(error, errorDetails(error));
    await history.complete(job.ref, { ...steps(job), error: failure }, job.status.messages);
    throw error;
  }
}

async function runJob(
  job: BuildJob,
  request: Solve,
  exporters: readonly ExporterRequest[],
): Promise<BuildResult | undefined> {
  const driven = request.frontend === "";
  const run = driven
    ? await job.returned
    : job.addRun(request.frontend, request.frontendAttributes, request.frontendInputs);
  if (run?.options.call !== undefined)
    throw new Unsupported(`request ${run.options.call} has an answer, which only the gateway can give`, {
      remedy: "ask with docker buildx build --call",
    });
  if (!driven) job.return(run);
  if (run === undefined) return undefined;
  const outputs = readOutputs(exporters, exporters.length === 0 ? undefined : await job.session());
  return job.build(run, outputs, cacheExports(request, run.frontendOptions));
}

/** Older clients ask for the inline cache by an argument of the build. */
function cacheExports({ cache }: Solve, options: Readonly<Record<string, string>>): readonly CacheEntry[] {
  const exports = cache?.exports ?? [];
  const byArgument = /^(?:1|t|true)$/i.test(options["build-arg:BUILDKIT_INLINE_CACHE"] ?? "");
  if (!byArgument || exports.some(({ type }) => type === "inline")) return exports;
  return [...exports, { type: "inline", attributes: {} }];
}

function exportersOf(request: Solve): readonly ExporterRequest[] {
  if (request.exporters.length > 0) return request.exporters.filter(({ type }) => type !== "");
  if (request.exporterDeprecated === "") return [];
  return [{ type: request.exporterDeprecated, attributes: request.exporterAttributesDeprecated }];
}

const wireExporter = ({ type, attributes: attrs }: ExporterRequest) => ({ type, attributes: attrs });

async function frontendAttributes(
  job: BuildJob,
): Promise<{ readonly frontendAttributes?: Readonly<Record<string, string>> }> {
  const run = await job.returned;
  if (run === undefined) return {};
  const shown = Object.entries(run.frontendOptions).map(([name, value]) => [name, hideCredentials(value)] as const);
  return { frontendAttributes: Object.fromEntries(shown) };
}

function steps({ status: log }: BuildJob) {
  const { total, completed, cached, warnings } = log.steps;
  return {
    frontend: "dockerfile.v0",
    numTotalSteps: total,
    numCompletedSteps: completed,
    numCachedSteps: cached,
    numWarnings: warnings,
  };
}

/** What a client learns of a result: texts as they are, everything else as its JSON. */
function responseOf(result: BuildResult | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(result?.metadata ?? {}).map(([key, value]) => [
      key,
      typeof value === "string" ? value : textOf(key, value),
    ]),
  );
}

/** Documents are base64, but for the one that clients have read since before that was so. */
function textOf(key: string, value: unknown): string {
  const text = JSON.stringify(value);
  return key === "cache.manifest" ? text : Buffer.from(text).toString("base64");
}

async function status(
  { jobs, history }: ControlOptions,
  call: ServerCall<{ readonly ref: string }, object>,
): Promise<void> {
  const { ref } = await onlyRequest(call, Control.status.path);
  const past = jobs.find(ref) === undefined ? await history.messages(ref) : undefined;
  if (past !== undefined) {
    for (const message of past) await call.send(message);
    return;
  }
  // It may have begun and ended meanwhile.
  const job = jobs.find(ref) ?? (await jobs.get(ref, call.signal));
  for await (const message of job.status.read(call.signal)) await call.send(message);
}

async function listen(
  history: HistoryStore,
  call: ServerCall<ValueOf<typeof BuildHistoryRequest>, ValueOf<typeof BuildHistoryEvent>>,
): Promise<void> {
  const request = await onlyRequest(call, Control.listenBuildHistory.path);
  if (request.filter.length > 0) throw new FailedPrecondition("filters of the history are not supported");
  const queue: HistoryEvent[] = [];
  let wake: () => void = () => {};
  using _listening = history.listen((event) => {
    const meant = request.ref === "" || event.record?.ref === request.ref;
    const wanted = !request.activeOnly || event.record?.completedAt === undefined;
    if (!meant || !wanted) return;
    queue.push(event);
    wake();
  });
  const known = await history.list(request);
  for (const event of request.limit > 0 ? known.slice(-request.limit) : known) await call.send(event);
  if (request.earlyExit) return;
  for (;;) {
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) await call.send(event);
    await new Promise<void>((resolve, reject) => {
      wake = resolve;
      call.signal.addEventListener("abort", () => reject(call.signal.reason as Error), { once: true });
    });
  }
}
