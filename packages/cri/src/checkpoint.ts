import { DeadlineExceeded, FailedPrecondition, InvalidArgument } from "@boxship/base";
import type { ContainerRecord, Engine } from "@boxship/engine";
import { containerStatus } from "./container-status.ts";
import { ofPod } from "./containers.ts";
import type { CriHandlers } from "./contract.ts";
import { containerDoor, podDoor } from "./door-data.ts";
import type { PodSandboxMetadata } from "./messages/config.ts";
import { ContainerStatus } from "./messages/status.ts";

/** Checkpoints as files that readers of other engines' know. */
export function checkpointHandlers(engine: Engine): Pick<CriHandlers, "checkpointContainer"> {
  return {
    async checkpointContainer({ containerId, location, timeout }, gone) {
      const record = ofPod(engine, containerId);
      if (record.state.status !== "running") {
        throw new FailedPrecondition(
          `container ${record.id} is ${record.state.status}: only running ones can be checkpointed`,
          {
            subject: { kind: "container", name: record.id },
          },
        );
      }
      if (timeout < 0) throw new InvalidArgument(`timeout ${timeout} is negative`);
      const seconds = Math.min(timeout, MOST_SECONDS);
      const late = seconds === 0 ? undefined : AbortSignal.timeout(seconds * 1000);
      const signal = late === undefined ? gone : AbortSignal.any([gone, late]);
      const { logPath } = containerDoor(record);
      try {
        await engine.containers.archiveCheckpoint(record.id, {
          location,
          signal,
          ...(logPath === "" ? {} : { logPath }),
          files: (spec) => describe(engine, record.id, spec),
        });
      } catch (error) {
        if (late?.aborted !== true) throw error;
        throw new DeadlineExceeded(`container ${record.id} was not checkpointed within ${seconds} s`, { cause: error });
      }
      return {};
    },
  };
}

/** Of a timer. */
const MOST_SECONDS = 2_000_000;

/** The files that say what a checkpoint is of; names and fields are those of checkpointctl and containerd. */
function describe(engine: Engine, id: string, spec: string): Readonly<Record<string, string>> {
  const { parts } = engine;
  const record = ofPod(engine, id);
  const pod = parts.pods.resolve(record.hostConfig.pod ?? "");
  const status = ContainerStatus.decode(ContainerStatus.encode(containerStatus(parts, record)));
  const image = status.image?.image ?? "";
  const digest = status.imageRef;
  const config = {
    id: record.id,
    name: status.metadata?.name,
    rootfsImage: image,
    rootfsImageRef: digest,
    rootfsImageName: image,
    runtime: record.hostConfig.runtime ?? parts.runtime.info.default,
    createdTime: new Date(record.created).toISOString(),
    checkpointedTime: new Date(parts.clock.now()).toISOString(),
    restoredTime: "0001-01-01T00:00:00Z",
    restored: false,
  };
  return {
    "config.dump": JSON.stringify(config),
    "spec.dump": JSON.stringify(withAnnotations(spec, record, podDoor(pod).config.metadata, image)),
    "status.dump": JSON.stringify(goForm(status)),
    status: JSON.stringify({
      CreatedAt: Number(status.createdAt),
      StartedAt: Number(status.startedAt),
      FinishedAt: Number(status.finishedAt),
      ExitCode: status.exitCode,
      Pid: "pid" in record.state ? record.state.pid : 0,
      Reason: status.reason,
      Message: status.message,
    }),
  };
}

const PREFIX = "io.kubernetes.cri";

/** By these readers find what pod it was. */
function withAnnotations(
  spec: string,
  record: ContainerRecord,
  pod: PodSandboxMetadata | undefined,
  image: string,
): object {
  const parsed = JSON.parse(spec) as { readonly annotations?: Readonly<Record<string, string>> };
  const added = {
    [`${PREFIX}.container-type`]: "container",
    [`${PREFIX}.container-name`]: containerDoor(record).config.metadata?.name ?? "",
    [`${PREFIX}.image-name`]: image,
    [`${PREFIX}.sandbox-id`]: record.hostConfig.pod ?? "",
    [`${PREFIX}.sandbox-name`]: pod?.name ?? "",
    [`${PREFIX}.sandbox-namespace`]: pod?.namespace ?? "",
    [`${PREFIX}.sandbox-uid`]: pod?.uid ?? "",
  };
  return { ...parsed, annotations: { ...parsed.annotations, ...added } };
}

/** Fields whose keys are the user's own. */
const MAPS: ReadonlySet<string> = new Set(["labels", "annotations", "unified"]);

/** A message as programs in Go write it: names in snake case, without what has its default. */
function goForm(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(goForm);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, one]) => !isDefault(one));
  return Object.fromEntries(
    fields.map(([name, one]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      MAPS.has(name) ? one : goForm(one),
    ]),
  );
}

function isDefault(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === "" || value === false || Number(value) === 0;
}
