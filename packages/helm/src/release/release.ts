import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { isObject, type Json, type JsonObject, parseJson, textAt } from "@boxship/api";
import { InvalidArgument } from "@boxship/base/errors";
import { toJson } from "@boxship/template";
import type { Chart } from "../chart/chart.ts";
import { storedLock, storedMetadata } from "../chart/stored-metadata.ts";
import type { Dict } from "../functions/go-values.ts";
import type { DeletePolicy, Hook, HookEvent, LogPolicy } from "../manifest/manifest.ts";

export type Status =
  | "deployed"
  | "failed"
  | "pending-install"
  | "pending-rollback"
  | "pending-upgrade"
  | "superseded"
  | "uninstalled"
  | "uninstalling"
  | "unknown";

/** A hook as a release keeps it. */
export interface StoredHook {
  readonly name: string;
  readonly kind: string;
  readonly path: string;
  readonly manifest: string;
  readonly events: readonly HookEvent[];
  readonly weight: number;
  readonly delete_policies: readonly DeletePolicy[];
  /** Not in releases of before Helm 3.18. */
  readonly output_log_policies?: readonly LogPolicy[];
  last_run: { started_at: string; completed_at: string; phase: string };
}

/** One revision of a release: what Helm keeps in a Secret, with its names. */
export interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly version: number;
  readonly info: {
    first_deployed: string;
    last_deployed: string;
    deleted: string;
    description: string;
    status: Status;
    notes: string;
  };
  /** `metadata`, `templates`, `values`, `schema`, `files`, `lock`. */
  readonly chart: JsonObject;
  /** What the user gave. */
  readonly config: JsonObject;
  readonly manifest: string;
  readonly hooks: readonly StoredHook[];
  /** Whether the server merged, or the client; not in releases of Helm 3, where it was the client. */
  readonly apply_method?: "csa" | "ssa";
}

/** A release may unpack to so much. */
const MOST_BYTES = 256 * 1024 * 1024;

/** A chart as releases keep it; charts in it are not kept, which is Helm's way. */
export function storedChart({ metadata, templates, files, values, schema, lock }: Chart): JsonObject {
  const encoded = (all: Chart["files"]) => all.map(({ name, data }) => ({ name, data: data.toString("base64") }));
  return {
    metadata: storedMetadata(metadata),
    lock: lock === undefined ? null : storedLock(lock),
    templates: encoded(templates),
    values: plainJson(values),
    schema: schema?.toString("base64") ?? null,
    files: encoded(files),
  };
}

/** Values with Go's types as JSON. */
export const plainJson = (value: Dict): JsonObject => parseJson(toJson(value)) as JsonObject;

export const storedHook = (hook: Hook): StoredHook => ({
  name: hook.name,
  kind: hook.kind,
  path: hook.source,
  manifest: hook.content,
  events: hook.events,
  weight: hook.weight,
  delete_policies: hook.deletePolicies,
  ...(hook.logPolicies.length > 0 && { output_log_policies: hook.logPolicies }),
  last_run: { started_at: "", completed_at: "", phase: "" },
});

export async function encodeRelease(release: Release): Promise<string> {
  return (await promisify(gzip)(JSON.stringify(release))).toString("base64");
}

/** @throws InvalidArgument for what is no release */
export async function decodeRelease(text: string, name: string): Promise<Release> {
  try {
    let bytes: Buffer = Buffer.from(text, "base64");
    // The first releases of Helm 3 were not packed.
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = await promisify(gunzip)(bytes, { maxOutputLength: MOST_BYTES });
    const release = parseJson(bytes.toString("utf8"));
    if (!isObject(release) || textAt(release, "name") === "") throw new Error("it has no name");
    return complete(release);
  } catch (error) {
    throw new InvalidArgument(`secret ${name} holds no release: ${(error as Error).message}`, { cause: error });
  }
}

function complete(release: JsonObject): Release {
  const { info, hooks, config, chart } = release;
  const empty = { first_deployed: "", last_deployed: "", deleted: "", description: "", status: "unknown", notes: "" };
  return {
    ...release,
    info: { ...empty, ...(isObject(info) ? info : {}) },
    config: isObject(config) ? config : {},
    chart: isObject(chart) ? chart : {},
    hooks: Array.isArray(hooks) ? hooks : [],
  } as unknown as Release;
}

export const isPending = ({ info }: Release): boolean =>
  info.status.startsWith("pending-") || info.status === "uninstalling";

/** `web-1.2.3`. */
export const chartName = ({ chart }: Release): string =>
  `${textAt(chart, "metadata", "name")}-${textAt(chart, "metadata", "version")}`;

export const appVersion = ({ chart }: Release): string => {
  const value: Json | undefined = isObject(chart["metadata"]) ? chart["metadata"]["appVersion"] : undefined;
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
};
