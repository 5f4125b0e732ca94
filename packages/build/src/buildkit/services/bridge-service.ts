import { FailedPrecondition, InvalidArgument, Unsupported } from "@boxship/base";
import { errorOf, type Handler, type Init, type ServerCall, unary, type ValueOf } from "@boxship/grpc";
import type { CallResult } from "../../contract.ts";
import type { BuildJob, Run } from "../job/build-job.ts";
import { frontendCapabilities, operationCapabilities } from "../job/capabilities.ts";
import type { JobRegistry } from "../job/job-registry.ts";
import { resultDefinition } from "../job/result-reference.ts";
import type { WorkerRecord } from "../wire/common.ts";
import { Bridge, type Result } from "../wire/gateway.ts";

export interface BridgeOptions {
  readonly jobs: JobRegistry;
  readonly worker: () => Init<ValueOf<typeof WorkerRecord>>;
  /** Results can carry attestations. */
  readonly attestations: boolean;
}

/** The build that a call is about. */
const BUILD_ID = "buildkit-controlapi-buildid";

/** `moby.buildkit.v1.frontend.LLBBridge`, as far as clients use it that let the frontend do the work. */
export function bridgeService(options: BridgeOptions): readonly Handler[] {
  const { jobs } = options;
  const jobOf = (call: Pick<ServerCall<unknown, unknown>, "metadata" | "signal">): Promise<BuildJob> => {
    const ref = call.metadata[BUILD_ID]?.[0];
    if (ref === undefined) throw new InvalidArgument("the call names no build");
    return jobs.get(ref, call.signal);
  };
  return [
    unary(Bridge.ping, async (_request, call) => {
      await jobOf(call);
      return {
        frontendCapabilities,
        operationCapabilities: operationCapabilities(options),
        workers: [options.worker()],
      };
    }),
    unary(Bridge.solve, async (request, call) => {
      const job = await jobOf(call);
      if (request.definition !== undefined && request.definition.operations.length > 0)
        throw new Unsupported("graphs of operations (LLB) are not supported", {
          remedy: "give the Containerfile as a local file or with its context",
        });
      const { run, metadata } = await job.attempt(async () => {
        const added = job.addRun(request.frontend, request.frontendOptions, request.frontendInputs);
        const question = added.options.call;
        if (question !== undefined) return { run: added, metadata: answerOf(await job.call(added, question)) };
        if (request.evaluate) await job.image(added);
        return { run: added, metadata: undefined };
      });
      if (metadata !== undefined) return { result: { metadata } };
      return { result: { ref: { id: run.id, definition: resultDefinition({ build: job.ref, result: run.id }) } } };
    }),
    unary(Bridge.evaluate, async ({ ref }, call) => {
      const job = await jobOf(call);
      await job.attempt(() => job.image(job.run(ref)));
      return {};
    }),
    unary(Bridge.return, async ({ result, error }, call) => {
      const job = await jobOf(call);
      if (error !== undefined) job.fail(errorOf(error, "the client"));
      else job.return(chosenRun(job, result));
      return {};
    }),
  ];
}

/** An answer as clients know it. */
function answerOf({ json, text, status }: CallResult): Readonly<Record<string, Buffer>> {
  const texts = { "result.json": json, "result.txt": text, "result.statuscode": String(status), version: "1.0.0" };
  return Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, Buffer.from(value)]));
}

/** The run whose result a client returns; all platforms of a result are one run here. */
function chosenRun(job: BuildJob, result: ValueOf<typeof Result> | undefined): Run | undefined {
  const ids = new Set(
    [result?.refDeprecated, result?.ref?.id, ...Object.values(result?.refs?.refs ?? {}).map(({ id }) => id)].filter(
      (id) => id !== undefined && id !== "",
    ),
  );
  const [id, ...others] = [...ids];
  if (others.length > 0) throw new FailedPrecondition("a result of several runs cannot be exported");
  return id === undefined ? undefined : job.run(id);
}
