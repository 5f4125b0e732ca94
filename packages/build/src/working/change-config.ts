import { InvalidArgument } from "@boxship/base";
import type { Healthcheck, ImageRuntimeConfig } from "@boxship/oci";
import { envMap } from "../solver/state.ts";
import type { WorkingRecord } from "./record.ts";
import type { WorkingChanges } from "./working-contract.ts";

/** What buildah gives a check that says nothing else, nanoseconds. */
const HEALTH_DEFAULTS = { Interval: 30e9, Timeout: 30e9, Retries: 3 };

/** A working container after some changes of its configuration. @throws InvalidArgument */
export function changeConfig(record: WorkingRecord, changes: WorkingChanges, now: string): WorkingRecord {
  const { history = [], author, architecture, os, variant, osVersion, osFeatures } = changes;
  const { createdBy, comment, historyComment, hostname, domainname } = changes;
  const base = defined({ author, architecture, os, variant, "os.version": osVersion, "os.features": osFeatures });
  return {
    ...record,
    ...defined({ createdBy, comment, historyComment, hostname, domainname }),
    base: { ...record.base, ...base },
    config: runtimeConfig(record.config, changes),
    annotations: merge(record.annotations, changes.annotations, isCleared(changes, "annotations")),
    history: [
      ...record.history,
      ...history.map((created_by) => ({ created: now, created_by, empty_layer: true as const })),
    ],
  };
}

function isCleared({ clear = [] }: WorkingChanges, what: NonNullable<WorkingChanges["clear"]>[number]): boolean {
  return clear.includes(what);
}

function runtimeConfig(config: ImageRuntimeConfig, changes: WorkingChanges): ImageRuntimeConfig {
  const { cmd, entrypoint, shell, onBuild, user, workingDir, stopSignal } = changes;
  const own = envMap(isCleared(changes, "env") ? [] : config.Env);
  const env = merge(Object.fromEntries(own), changes.env, false);
  const ports = marked(config.ExposedPorts, changes.ports, isCleared(changes, "ports"));
  const volumes = marked(config.Volumes, changes.volumes, isCleared(changes, "volumes"));
  const labels = merge(config.Labels ?? {}, changes.labels, isCleared(changes, "labels"));
  if (workingDir !== undefined && !workingDir.startsWith("/")) {
    throw new InvalidArgument(`the working directory ${workingDir} is not absolute`, {
      remedy: `write /${workingDir}`,
    });
  }
  const {
    Env: _env,
    ExposedPorts: _ports,
    Volumes: _volumes,
    Labels: _labels,
    Entrypoint,
    Cmd,
    Healthcheck: check,
    ...rest
  } = config;
  const [newEntrypoint, newCmd] = [entrypoint ?? Entrypoint ?? [], cmd ?? Cmd ?? []];
  const health = healthcheck(check, changes);
  return {
    ...rest,
    ...defined({ User: user, WorkingDir: workingDir, StopSignal: stopSignal, Shell: shell }),
    ...(onBuild === undefined ? {} : { OnBuild: [...(config.OnBuild ?? []), ...onBuild] }),
    ...(Object.keys(env).length === 0 ? {} : { Env: Object.entries(env).map(([name, value]) => `${name}=${value}`) }),
    ...(Object.keys(ports).length === 0 ? {} : { ExposedPorts: ports }),
    ...(Object.keys(volumes).length === 0 ? {} : { Volumes: volumes }),
    ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }),
    ...(newEntrypoint.length === 0 ? {} : { Entrypoint: newEntrypoint }),
    ...(newCmd.length === 0 ? {} : { Cmd: newCmd }),
    ...(health === undefined ? {} : { Healthcheck: health }),
  };
}

function healthcheck(before: Healthcheck | undefined, changes: WorkingChanges): Healthcheck | undefined {
  const { healthcheck: test, healthInterval, healthTimeout, healthStartPeriod, healthRetries } = changes;
  const times = defined({
    Interval: healthInterval,
    Timeout: healthTimeout,
    StartPeriod: healthStartPeriod,
    Retries: healthRetries,
  });
  if (test !== undefined && test.length === 0) return undefined;
  if (test === undefined && before === undefined) {
    if (Object.keys(times).length === 0) return undefined;
    throw new InvalidArgument("there is no health check whose times could be changed", {
      remedy: "name its command, too",
    });
  }
  const command = test === undefined ? {} : { ...HEALTH_DEFAULTS, Test: test };
  return { ...before, ...command, ...times };
}

function merge<T extends string>(
  before: Readonly<Record<string, T>>,
  changes: Readonly<Record<string, T | null>> = {},
  cleared: boolean,
): Readonly<Record<string, T>> {
  const all = new Map(Object.entries(cleared ? {} : before));
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) all.delete(name);
    else all.set(name, value);
  }
  return Object.fromEntries(all);
}

function marked(
  before: ImageRuntimeConfig["Volumes"] = {},
  changes: Readonly<Record<string, true | null>> = {},
  cleared: boolean,
): NonNullable<ImageRuntimeConfig["Volumes"]> {
  const all = new Map(Object.entries(cleared ? {} : before));
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) all.delete(name);
    else all.set(name, {});
  }
  return Object.fromEntries(all);
}

/** Without the fields that are undefined. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
