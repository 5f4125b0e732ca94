import { type ValueOf } from "@boxship/grpc";
import type { ApiCapability } from "../wire/common.ts";

type Capability = ValueOf<typeof ApiCapability>;

/** What clients may ask of the gateway. */
const FRONTEND = [
  "frontend.caps",
  "gateway.evaluate",
  "gateway.solve.evaluate",
  "gateway.solve.metadata",
  "proto.refarray",
  "reference.output",
  "return",
  "returnmap",
  "solve.base",
  "solve.inlinereturn",
];

/** What a build here can do; several are looked at by clients before they send an option. */
const OPERATIONS = [
  "constraints",
  "exec.cgroup",
  "exec.meta.base",
  "exec.meta.cgroup.parent",
  "exec.meta.network",
  "exec.meta.proxyenv",
  "exec.meta.security",
  "exec.meta.setsdefaultpath",
  "exec.meta.ulimit",
  "exec.mount.bind",
  "exec.mount.cache",
  "exec.mount.cache.sharing",
  "exec.mount.secret",
  "exec.mount.selector",
  "exec.mount.ssh",
  "exec.mount.tmpfs",
  "exec.mount.tmpfs.size",
  "exec.secretenv",
  "exporter.image.annotations",
  "exporter.multiple",
  "exporter.sourcedateepoch",
  "file.base",
  "file.copy.includeexcludepatterns",
  "meta.description",
  "meta.ignorecache",
  "platform",
  "source.git",
  "source.git.fullurl",
  "source.git.keepgitdir",
  "source.git.subdir",
  "source.http",
  "source.http.checksum",
  "source.image",
  "source.image.resolvemode",
  "source.local",
  "source.local.excludepatterns",
  "source.local.followpaths",
  "source.local.includepatterns",
  "source.local.sessionid",
  "source.local.sharedkeyhint",
];

export const frontendCapabilities: readonly Capability[] = FRONTEND.map(enabled);

export function operationCapabilities(options: { readonly attestations: boolean }): readonly Capability[] {
  return [...OPERATIONS, ...(options.attestations ? ["exporter.image.attestations"] : [])].sort().map(enabled);
}

function enabled(id: string): Capability {
  return {
    id,
    enabled: true,
    deprecated: false,
    disabledReason: "",
    disabledReasonMessage: "",
    disabledAlternative: "",
  };
}
