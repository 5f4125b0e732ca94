import type { ImageConfig } from "@boxship/oci";
import { goJson } from "./docker-manifest.ts";

type Json = Readonly<Record<string, unknown>>;

/** Members of the OCI configuration in the order of Go's types, which decides the digest of what skopeo writes. */
const IMAGE = ["created", "author", "architecture", "variant", "os", "os.version", "os.features"] as const;
const RUNTIME = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
] as const;
const HISTORY = ["created", "created_by", "author", "comment", "empty_layer"] as const;

/** A configuration as the OCI specification knows it: Docker's additions are left out. */
export function ociConfig(config: ImageConfig): Json {
  return {
    ...pick(config as unknown as Json, IMAGE),
    config: pick((config.config ?? {}) as Json, RUNTIME),
    rootfs: { type: config.rootfs.type, diff_ids: config.rootfs.diff_ids },
    ...(config.history !== undefined &&
      config.history.length > 0 && { history: config.history.map((entry) => pick(entry as unknown as Json, HISTORY)) }),
  };
}

/** The same as bytes; as skopeo writes it when it makes an OCI image of Docker's. */
export function encodeOciConfig(config: ImageConfig): Buffer {
  return Buffer.from(goJson(ociConfig(config)));
}

function pick(object: Json, keys: readonly string[]): Json {
  const picked = keys.flatMap((key) => {
    const value = object[key];
    return isEmpty(value) ? [] : [[key, sortKeys(value)] as const];
  });
  return Object.fromEntries(picked);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Maps of Go are written with their keys in order. */
function sortKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
