import { InvalidArgument } from "@boxship/base";
import type { ImageRunConfig } from "../engine-api.ts";
import type { ContainerConfig, HealthConfig } from "./config.ts";
import type { EffectiveConfig } from "./record.ts";

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Later entries win, a bare `KEY` removes; order of first appearance is kept. */
export function mergeEnv(image: readonly string[], asked: readonly string[]): readonly string[] {
  const merged = new Map<string, string | undefined>();
  for (const entry of image) merged.set(envKey(entry), entry);
  for (const entry of asked) merged.set(envKey(entry), entry.includes("=") ? entry : undefined);
  return [...merged.values()].filter((entry) => entry !== undefined);
}

function envKey(entry: string): string {
  const equals = entry.indexOf("=");
  return equals < 0 ? entry : entry.slice(0, equals);
}

function mergeHealth(image: HealthConfig | undefined, asked: HealthConfig | undefined): HealthConfig | undefined {
  if (asked === undefined) return image;
  if (image === undefined) return asked;
  const test = asked.test !== undefined && asked.test.length > 0 ? asked.test : image.test;
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined && value !== 0));
  return { ...image, ...given, ...(test === undefined ? {} : { test }) };
}

const union = (a: readonly string[] = [], b: readonly string[] = []): readonly string[] => [...new Set([...a, ...b])];

/**
 * Completes what the user asked with what the image says, by Docker's rules: a command or entrypoint of the user's
 * replaces the image's, and an entrypoint of the user's also drops the image's command.
 *
 * @param hostname what the container is called when nobody says: the short id, on the host's network the host's name
 * @throws InvalidArgument when there is nothing to run
 */
export function effectiveConfig(config: ContainerConfig, image: ImageRunConfig, hostname: string): EffectiveConfig {
  const ownEntrypoint = config.entrypoint !== undefined;
  const entrypoint = config.entrypoint ?? image.entrypoint ?? [];
  const askedCmd = config.cmd !== undefined && config.cmd.length > 0 ? config.cmd : undefined;
  const cmd = askedCmd ?? (ownEntrypoint ? [] : (image.cmd ?? []));
  if (entrypoint.length === 0 && cmd.length === 0) {
    throw new InvalidArgument("no command specified", {
      subject: { kind: "image", name: config.image },
      remedy: "name a command after the image: it has no CMD and no ENTRYPOINT",
    });
  }
  const healthcheck = mergeHealth(image.healthcheck, config.healthcheck);
  const stopSignal = config.stopSignal ?? image.stopSignal;
  const shell = config.shell ?? image.shell;
  const env = mergeEnv(image.env ?? [], config.env ?? []);
  return {
    ...config,
    hostname: config.hostname || hostname,
    domainname: config.domainname ?? "",
    user: config.user || image.user || "",
    env: env.some((entry) => entry.startsWith("PATH=")) ? env : [DEFAULT_PATH, ...env],
    cmd,
    entrypoint,
    workingDir: config.workingDir || image.workingDir || "",
    labels: { ...image.labels, ...config.labels },
    exposedPorts: union(image.exposedPorts, config.exposedPorts),
    volumes: union(image.volumes, config.volumes),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(shell === undefined ? {} : { shell }),
  };
}
