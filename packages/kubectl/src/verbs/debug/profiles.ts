import { isObject, type JsonObject, type KubeObject, listAt, textAt } from "@boxship/api";
import { Refusal } from "../../failure.ts";

/** What is debugged: a pod from within, a copy of it, or a node. */
export type Style = "ephemeral" | "copy" | "node";

/** What a copy has of its original, too. */
export interface Kept {
  readonly labels: boolean;
  readonly annotations: boolean;
  readonly liveness: boolean;
  readonly readiness: boolean;
  readonly startup: boolean;
  readonly initContainers: boolean;
}

type Context = JsonObject | undefined;

interface Profile {
  /** The container's security context as this profile has it. */
  readonly security?: (before: Context, style: Style) => Context;
  /** The node's file system is mounted at `/host`. @default false */
  readonly root?: boolean;
  /** On a node, in the host's namespaces. @default false */
  readonly host?: boolean;
}

const added =
  (...names: readonly string[]) =>
  (before: Context): JsonObject => {
    const capabilities = isObject(before?.["capabilities"]) ? before["capabilities"] : {};
    return { ...before, capabilities: { ...capabilities, add: [...listAt(capabilities, "add"), ...names] } };
  };

const RESTRICTED: JsonObject = {
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
  allowPrivilegeEscalation: false,
  seccompProfile: { type: "RuntimeDefault" },
};

const PROFILES: Readonly<Record<string, Profile>> = {
  legacy: { root: true, host: true },
  general: {
    security: (before, style) => (style === "node" ? undefined : added("SYS_PTRACE")(before)),
    root: true,
    host: true,
  },
  baseline: { security: () => undefined },
  restricted: { security: () => RESTRICTED },
  netadmin: { security: added("NET_ADMIN", "NET_RAW"), host: true },
  sysadmin: { security: (before) => ({ ...before, privileged: true }), root: true, host: true },
};

/** @throws Refusal for names of none */
export function checkProfile(name: string): void {
  if (!Object.hasOwn(PROFILES, name)) throw new Refusal(`unknown profile: ${name}`);
}

/** A pod as a profile makes it. @param name of the container that debugs */
export function withProfile(
  pod: KubeObject,
  name: string,
  { profile, style, kept }: { readonly profile: string; readonly style: Style; readonly kept: Kept },
): KubeObject {
  const { security, root = false, host = false } = PROFILES[profile] ?? {};
  let spec = pod["spec"] as JsonObject;
  const metadata = { ...pod.metadata };
  if (style === "copy") {
    if (!kept.labels || profile === "legacy") delete metadata.labels;
    if (profile !== "legacy") {
      if (!kept.annotations) delete metadata.annotations;
      spec = { shareProcessNamespace: true, ...withoutProbes(spec, kept) };
    }
  }
  if (security !== undefined) spec = changed(spec, name, (one) => secured(one, security(contextOf(one), style)));
  if (style === "node" && root) {
    spec = changed(spec, name, (one) => ({
      ...one,
      volumeMounts: [...listAt(one, "volumeMounts"), { name: "host-root", mountPath: "/host" }],
    }));
    spec = { ...spec, volumes: [...listAt(spec, "volumes"), { name: "host-root", hostPath: { path: "/" } }] };
  }
  if (style === "node" && host) spec = { ...spec, hostNetwork: true, hostPID: true, hostIPC: true };
  return { ...pod, metadata, spec };
}

const contextOf = (container: JsonObject): Context =>
  isObject(container["securityContext"]) ? container["securityContext"] : undefined;

function secured(before: JsonObject, context: Context): JsonObject {
  const { securityContext: _, ...container } = before;
  return context === undefined ? container : { ...container, securityContext: context };
}

/** One container of a pod changed, whichever kind it is of. */
export function changed(spec: JsonObject, name: string, change: (container: JsonObject) => JsonObject): JsonObject {
  const fields = ["containers", "initContainers", "ephemeralContainers"].filter((field) => spec[field] !== undefined);
  const lists = fields.map((field) => [
    field,
    listAt(spec, field).map((one) => (isObject(one) && textAt(one, "name") === name ? change(one) : one)),
  ]);
  return { ...spec, ...Object.fromEntries(lists) };
}

function withoutProbes(spec: JsonObject, kept: Kept): JsonObject {
  const { initContainers, ...rest } = spec;
  const gone = [
    ...(kept.liveness ? [] : ["livenessProbe"]),
    ...(kept.readiness ? [] : ["readinessProbe"]),
    ...(kept.startup ? [] : ["startupProbe"]),
  ];
  const containers = listAt(spec, "containers").map((one) =>
    Object.fromEntries(Object.entries(isObject(one) ? one : {}).filter(([field]) => !gone.includes(field))),
  );
  return { ...rest, ...(kept.initContainers && initContainers !== undefined && { initContainers }), containers };
}
