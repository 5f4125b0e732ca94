import type { ImageConfig } from "@boxship/oci";
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
