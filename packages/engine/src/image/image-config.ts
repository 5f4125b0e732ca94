import type { ImageConfig, ImageRuntimeConfig } from "@boxship/oci";
import type { HealthConfig } from "../container/config.ts";
import type { ImageRunConfig } from "../engine-api.ts";

const NANOSECONDS = 1_000_000;

/** The defaults that an image gives its containers, from its configuration document. */
export function runConfigOf(config: ImageConfig): ImageRunConfig {
  const own = config.config ?? {};
  const health = own.Healthcheck;
  return compact({
    user: own.User,
    exposedPorts: keysOf(own.ExposedPorts)?.map((port) => (port.includes("/") ? port : `${port}/tcp`)),
    env: own.Env,
    entrypoint: own.Entrypoint,
    cmd: own.Cmd,
    volumes: keysOf(own.Volumes),
    workingDir: own.WorkingDir,
    labels: own.Labels,
    stopSignal: own.StopSignal,
    healthcheck: health === undefined ? undefined : healthOf(health),
    shell: own.Shell,
    onBuild: own.OnBuild,
  });
}

/** The same as a configuration document has it; what is empty says nothing, except an entrypoint. */
export function runtimeConfigOf(run: ImageRunConfig): ImageRuntimeConfig {
  const { healthcheck } = run;
  return compact<ImageRuntimeConfig>({
    User: run.user || undefined,
    ExposedPorts: setOf(run.exposedPorts),
    Env: filled(run.env),
    Entrypoint: run.entrypoint,
    Cmd: filled(run.cmd),
    Volumes: setOf(run.volumes),
    WorkingDir: run.workingDir || undefined,
    Labels: Object.keys(run.labels ?? {}).length === 0 ? undefined : run.labels,
    StopSignal: run.stopSignal || undefined,
    Healthcheck: healthcheck === undefined ? undefined : healthDocument(healthcheck),
    Shell: filled(run.shell),
    OnBuild: filled(run.onBuild),
  });
}

/**
 * A configuration completed with a container's, by Docker's rules: variables, ports, volumes and labels are added, and a
 * command of its own stands without the container's entrypoint only where it has one of its own, too.
 */
export function mergeConfig(config: ImageRuntimeConfig, container: ImageRuntimeConfig): ImageRuntimeConfig {
  const hasEntrypoint = (config.Entrypoint ?? []).length > 0;
  const keepsCmd = hasEntrypoint || (config.Cmd ?? []).length > 0;
  const named = new Set((config.Env ?? []).map(nameOf));
  const env = [...(config.Env ?? []), ...(container.Env ?? []).filter((entry) => !named.has(nameOf(entry)))];
  const merged = {
    ...container,
    ...config,
    Env: filled(env),
    Cmd: keepsCmd ? config.Cmd : container.Cmd,
    Entrypoint: config.Entrypoint ?? container.Entrypoint,
    ExposedPorts: union(container.ExposedPorts, config.ExposedPorts),
    Volumes: union(container.Volumes, config.Volumes),
    Labels: union(container.Labels, config.Labels),
  };
  return compact<ImageRuntimeConfig>(merged);
}

const nameOf = (entry: string): string => entry.split("=", 1)[0] ?? "";

const filled = <T>(items: readonly T[] | undefined): readonly T[] | undefined =>
  items === undefined || items.length === 0 ? undefined : items;

function union<T>(
  a: Readonly<Record<string, T>> | undefined,
  b: Readonly<Record<string, T>> | undefined,
): Readonly<Record<string, T>> | undefined {
  return a === undefined && b === undefined ? undefined : { ...a, ...b };
}

function setOf(
  names: readonly string[] | undefined,
): Readonly<Record<string, Readonly<Record<string, never>>>> | undefined {
  const some = filled(names);
  return some === undefined ? undefined : Object.fromEntries(some.map((name) => [name, {}]));
}

function healthDocument(health: HealthConfig): NonNullable<ImageRuntimeConfig["Healthcheck"]> {
  const ns = (milliseconds: number | undefined) =>
    milliseconds === undefined ? undefined : Math.round(milliseconds * NANOSECONDS);
  return compact<NonNullable<ImageRuntimeConfig["Healthcheck"]>>({
    Test: health.test,
    Interval: ns(health.intervalMs),
    Timeout: ns(health.timeoutMs),
    StartPeriod: ns(health.startPeriodMs),
    StartInterval: ns(health.startIntervalMs),
    Retries: health.retries,
  });
}

function keysOf(record: Readonly<Record<string, unknown>> | undefined): readonly string[] | undefined {
  return record === undefined ? undefined : Object.keys(record);
}

function healthOf(health: NonNullable<NonNullable<ImageConfig["config"]>["Healthcheck"]>): HealthConfig {
  const ms = (nanoseconds: number | undefined) => (nanoseconds === undefined ? undefined : nanoseconds / NANOSECONDS);
  return compact({
    test: health.Test,
    intervalMs: ms(health.Interval),
    timeoutMs: ms(health.Timeout),
    startPeriodMs: ms(health.StartPeriod),
    startIntervalMs: ms(health.StartInterval),
    retries: health.Retries,
  });
}

/** Without the fields that are undefined. */
function compact<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
