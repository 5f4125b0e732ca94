import { compact, Field } from "./decode.ts";
import { readDigest } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

/** Largest image configuration that is read, in bytes. */
export const IMAGE_CONFIG_SIZE_LIMIT = 8 * 1024 * 1024;

/**
 * An image's configuration (OCI image spec, config.md, and Docker's additions). Field names are the document's own, so
 * that what `inspect` prints and what is written are the same thing.
 */
export interface ImageConfig {
  /** RFC 3339. */
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
  readonly config?: ImageRuntimeConfig;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly Digest[] };
  readonly history?: readonly ImageHistory[];
}

/** Defaults for containers of the image. */
export interface ImageRuntimeConfig {
  readonly User?: string;
  /** Keys are `port/protocol` or `port`. */
  readonly ExposedPorts?: Readonly<Record<string, Readonly<Record<string, never>>>>;
  /** `NAME=value`. */
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  /** Keys are paths in the container. */
  readonly Volumes?: Readonly<Record<string, Readonly<Record<string, never>>>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  /** Seconds. */
  readonly StopTimeout?: number;
  readonly ArgsEscaped?: boolean;
  readonly Healthcheck?: Healthcheck;
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[];
}

/** Durations are nanoseconds; 0 or absent means the default. */
export interface Healthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface ImageHistory {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/**
 * Reads an image configuration.
 *
 * @param name what it is, for errors
 * @throws InvalidArgument if it is malformed
 */
export function decodeImageConfig(bytes: Uint8Array, name = "image configuration"): ImageConfig {
  const document = Field.parse(name, bytes, IMAGE_CONFIG_SIZE_LIMIT);
  const rootfs = document.get("rootfs");
  const type = rootfs.get("type").string();
  if (type !== "layers") throw rootfs.get("type").fail(`expected "layers", got ${JSON.stringify(type)}`);
  return compact({
    created: text(document.get("created")),
    author: text(document.get("author")),
    architecture: document.get("architecture").string(),
    os: document.get("os").string(),
    variant: text(document.get("variant")),
    "os.version": text(document.get("os.version")),
    "os.features": strings(document.get("os.features")),
    config: document.get("config").optional(readRuntimeConfig),
    rootfs: {
      type: "layers" as const,
      diff_ids: rootfs.get("diff_ids").optional((field) => field.array(readDigest)) ?? [],
    },
    history: document.get("history").optional((field) => field.array(readHistory)),
  });
}

function text(field: Field): string | undefined {
  return field.optional((f) => f.string());
}

function strings(field: Field): readonly string[] | undefined {
  return field.optional((f) => f.strings());
}

function number(field: Field): number | undefined {
  return field.optional((f) => f.integer());
}

function keys(field: Field): Readonly<Record<string, Readonly<Record<string, never>>>> | undefined {
  return field.optional((f) => f.record(() => ({})));
}

function readRuntimeConfig(field: Field): ImageRuntimeConfig {
  return compact({
    User: text(field.get("User")),
    ExposedPorts: keys(field.get("ExposedPorts")),
    Env: strings(field.get("Env")),
    Entrypoint: command(field.get("Entrypoint")),
    Cmd: command(field.get("Cmd")),
    Volumes: keys(field.get("Volumes")),
    WorkingDir: text(field.get("WorkingDir")),
    Labels: field.get("Labels").optional((f) => f.stringRecord()),
    StopSignal: text(field.get("StopSignal")),
    StopTimeout: number(field.get("StopTimeout")),
    ArgsEscaped: field.get("ArgsEscaped").optional((f) => f.boolean()),
    Healthcheck: field.get("Healthcheck").optional(readHealthcheck),
    Shell: strings(field.get("Shell")),
    OnBuild: strings(field.get("OnBuild")),
  });
}

/** Docker itself takes a single string for a list of one here. */
function command(field: Field): readonly string[] | undefined {
  return field.optional((f) => f.stringOrStrings());
}

function readHealthcheck(field: Field): Healthcheck {
  return compact({
    Test: strings(field.get("Test")),
    Interval: number(field.get("Interval")),
    Timeout: number(field.get("Timeout")),
    StartPeriod: number(field.get("StartPeriod")),
    StartInterval: number(field.get("StartInterval")),
    Retries: number(field.get("Retries")),
  });
}

function readHistory(field: Field): ImageHistory {
  return compact({
    created: text(field.get("created")),
    created_by: text(field.get("created_by")),
    author: text(field.get("author")),
    comment: text(field.get("comment")),
    empty_layer: field.get("empty_layer").optional((f) => f.boolean()),
  });
}

/** The configuration as bytes; its digest is the image's id. */
export function encodeImageConfig(config: ImageConfig): Uint8Array {
  return Buffer.from(JSON.stringify(config));
}

/** The platform that an image says it is for. */
export function configPlatform(config: ImageConfig): Platform {
  return compact({
    os: config.os,
    architecture: config.architecture,
    variant: config.variant,
    osVersion: config["os.version"],
    osFeatures: config["os.features"],
  });
}

/** When an image says that it was made, in whole seconds, as bills of materials have it; 1970 where it says no time. */
export function createdSeconds({ created = "" }: { readonly created?: string | undefined }): string {
  const time = /^\d{4}-\d\d-\d\dT/.test(created) ? Date.parse(created) : Number.NaN;
  const told = new Date(Number.isNaN(time) ? 0 : time).toISOString();
  return `${told.length === 24 ? told.slice(0, 19) : "1970-01-01T00:00:00"}Z`;
}
