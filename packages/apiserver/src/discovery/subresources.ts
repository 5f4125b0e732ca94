import type { Kind } from "@boxship/api";

/** What discovery tells of a subresource. */
export interface SubresourceInfo {
  readonly name: string;
  readonly kind: string;
  /** Where it is not the resource's own. */
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

const PART: readonly string[] = ["get", "patch", "update"];
const CONNECT: readonly string[] = ["create", "get"];
const PROXY: readonly string[] = ["create", "delete", "get", "patch", "update"];

const KNOWN: Readonly<Record<string, (kind: Kind) => Omit<SubresourceInfo, "name">>> = {
  approval: ({ kind }) => ({ kind, verbs: PART }),
  attach: () => ({ kind: "PodAttachOptions", verbs: CONNECT }),
  binding: () => ({ kind: "Binding", verbs: ["create"] }),
  ephemeralcontainers: ({ kind }) => ({ kind, verbs: PART }),
  eviction: () => ({ kind: "Eviction", group: "policy", version: "v1", verbs: ["create"] }),
  exec: () => ({ kind: "PodExecOptions", verbs: CONNECT }),
  finalize: ({ kind }) => ({ kind, verbs: ["update"] }),
  log: ({ kind }) => ({ kind, verbs: ["get"] }),
  portforward: () => ({ kind: "PodPortForwardOptions", verbs: CONNECT }),
  proxy: ({ kind }) => ({ kind: `${kind}ProxyOptions`, verbs: PROXY }),
  resize: ({ kind }) => ({ kind, verbs: PART }),
  scale: () => ({ kind: "Scale", group: "autoscaling", version: "v1", verbs: PART }),
  status: ({ kind }) => ({ kind, verbs: PART }),
  token: () => ({ kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: ["create"] }),
};

export function subresourcesOf(kind: Kind): readonly SubresourceInfo[] {
  return [...kind.subresources].sort().flatMap((name) => {
    const info = KNOWN[name]?.(kind);
    return info === undefined ? [] : [{ name, ...info }];
  });
}
