import { InvalidArgument, Unsupported } from "@boxship/base";
import { DEFAULT_SECCOMP_PROFILE } from "../seccomp/default-profile.ts";
import { resolveSeccomp } from "../seccomp/resolve.ts";
import { resolveCapabilities } from "./capabilities.ts";
import { MASKED_PATHS, READONLY_PATHS } from "./default-paths.ts";
import { resolveDevices } from "./devices.ts";
import type { HostFacts } from "./host.ts";
import { adaptOomScore, adaptRlimits } from "./limits.ts";
import { resolveMounts } from "./mounts.ts";
import { resolveNamespaces } from "./namespaces.ts";
import type { OciCapabilities, OciLinux, OciMount, OciProcess, OciResources, OciSeccomp, OciSpec } from "./oci.ts";
import type { BuiltSpec, SpecRequest } from "./request.ts";
import { resolveResources } from "./resources.ts";
import { resolveSysctls } from "./sysctls.ts";

const OCI_VERSION = "1.2.0";
const INIT_PATH = "/sbin/docker-init";

/**
 * The OCI `config.json` of a container. Looks at device nodes on the host, and at nothing else.
 *
 * @throws InvalidArgument anything in the request that can never work
 * @throws Unsupported something this host does not have, by name
 */
export function buildSpec(request: SpecRequest, host: HostFacts): BuiltSpec<OciSpec> {
  if (request.args.length === 0) throw new InvalidArgument("no command specified");
  const capabilities = resolveCapabilities(
    { ...request.capabilities, privileged: request.privileged ?? false },
    host.capabilities,
  );
  const rlimits = adaptRlimits(request.rlimits ?? [], host);
  const oomScore = adaptOomScore(request.oomScoreAdj ?? 0, host);
  const devices = resolveDevices(
    request.devices ?? [],
    request.resources?.deviceCgroupRules ?? [],
    request.privileged ?? false,
    host.userNamespace,
  );
  // The programs that are the device cgroup of v2 may only be loaded by root.
  const rules = host.userNamespace ? undefined : [...(request.resources?.deviceRules ?? []), ...devices.rules];
  const resources = resolveResources(request.resources ?? {}, host, rules);
  const mounts = [...resolveMounts(request, host), ...devices.mounts];
  const init = request.init ? initMount(host) : undefined;
  const spec: OciSpec = {
    ociVersion: OCI_VERSION,
    root: { path: request.rootfs, ...(request.readonlyRootfs ? { readonly: true } : {}) },
    ...hostname(request),
    process: processOf(request, host, capabilities, {
      oomScoreAdj: oomScore.value,
      ...(rlimits.value.length === 0 ? {} : { rlimits: rlimits.value }),
    }),
    mounts: init === undefined ? mounts : [...mounts, init],
    linux: {
      ...linuxOf(request, host, capabilities),
      resources: withoutNegativeQuota(resources.resources),
      ...(devices.devices.length === 0 ? {} : { devices: devices.devices }),
    },
    ...(request.annotations === undefined ? {} : { annotations: request.annotations }),
  };
  return { spec, warnings: [...rlimits.warnings, ...oomScore.warnings, ...resources.warnings] };
}

/** None is what a new group has, and crun does not get it written. */
function withoutNegativeQuota(resources: OciResources): OciResources {
  const { quota = 0, ...cpu } = resources.cpu ?? {};
  return quota < 0 ? { ...resources, cpu } : resources;
}

/** A host name needs a UTS namespace of its own; elsewhere it is the other's, as in Docker. */
function hostname(request: SpecRequest): Pick<OciSpec, "hostname"> {
  const uts = request.namespaces?.uts ?? "private";
  return uts === "private" && request.hostname !== undefined ? { hostname: request.hostname } : {};
}

function initMount(host: HostFacts): OciMount {
  if (host.initBinary === undefined) {
    throw new Unsupported("an init process is not available: no static catatonit, tini or dumb-init on this host", {
      remedy: "install the package catatonit",
    });
  }
  return { destination: INIT_PATH, type: "bind", source: host.initBinary, options: ["bind", "ro"] };
}

function processOf(
  request: SpecRequest,
  host: HostFacts,
  capabilities: readonly string[],
  limits: Pick<OciProcess, "oomScoreAdj" | "rlimits">,
): OciProcess {
  const { uid, gid, additionalGids = [] } = request.user;
  return {
    ...(request.terminal ? { terminal: true } : {}),
    ...(request.terminal && request.consoleSize !== undefined ? { consoleSize: request.consoleSize } : {}),
    user: {
      uid,
      gid,
      ...(request.umask === undefined ? {} : { umask: request.umask }),
      ...(additionalGids.length === 0 ? {} : { additionalGids }),
    },
    args: request.init ? [INIT_PATH, "--", ...request.args] : request.args,
    env: request.env,
    cwd: request.cwd,
    capabilities: capabilitySets(capabilities),
    ...(request.noNewPrivileges ? { noNewPrivileges: true } : {}),
    ...apparmor(request, host),
    ...selinuxLabel(request, host),
    ...limits,
  };
}

/** Nothing is inheritable or ambient: what a process without root gets, it gets from file capabilities. */
export function capabilitySets(names: readonly string[]): OciCapabilities {
  return { bounding: names, effective: names, permitted: names };
}

function apparmor(request: SpecRequest, host: HostFacts): Pick<OciProcess, "apparmorProfile"> {
  const profile = request.apparmor;
  if (profile === undefined || profile === "" || profile === "unconfined") return {};
  if (!host.apparmor) throw new Unsupported(`apparmor profile ${profile}: this host's kernel has no AppArmor`);
  return { apparmorProfile: profile };
}

function selinuxLabel(request: SpecRequest, host: HostFacts): Pick<OciProcess, "selinuxLabel"> {
  const { processLabel, mountLabel } = request.selinux ?? {};
  if (!host.selinux && (processLabel ?? mountLabel ?? "") !== "") {
    throw new Unsupported(`selinux label ${processLabel ?? mountLabel}: this host's kernel has no SELinux`);
  }
  return processLabel === undefined || processLabel === "" ? {} : { selinuxLabel: processLabel };
}

function linuxOf(request: SpecRequest, host: HostFacts, capabilities: readonly string[]): OciLinux {
  const namespaces = request.namespaces ?? {};
  const sysctl = resolveSysctls(request.sysctls ?? {}, namespaces, request.domainname, host.highestGroup);
  const masked = request.maskedPaths ?? (request.privileged ? [] : MASKED_PATHS);
  const readonly = request.readonlyPaths ?? (request.privileged ? [] : READONLY_PATHS);
  const mountLabel = request.selinux?.mountLabel;
  const seccomp = seccompOf(request, host, capabilities);
  return {
    namespaces: resolveNamespaces(namespaces, host),
    ...(namespaces.user === undefined ? {} : { uidMappings: namespaces.user.uids, gidMappings: namespaces.user.gids }),
    cgroupsPath: request.cgroupsPath,
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
    maskedPaths: masked,
    readonlyPaths: readonly,
    ...(mountLabel === undefined || mountLabel === "" ? {} : { mountLabel }),
    ...propagation(request),
  };
}

/** A mount that shall reach the host, or come from it, needs a root that lets it. */
function propagation(request: SpecRequest): Pick<OciLinux, "rootfsPropagation"> {
  const options = new Set((request.mounts ?? []).flatMap((mount) => mount.options ?? []));
  if (options.has("shared") || options.has("rshared")) return { rootfsPropagation: "shared" };
  if (options.has("slave") || options.has("rslave")) return { rootfsPropagation: "slave" };
  return {};
}

function seccompOf(request: SpecRequest, host: HostFacts, capabilities: readonly string[]): OciSeccomp | undefined {
  const choice = request.seccomp ?? (request.privileged ? "unconfined" : "default");
  if (choice === "unconfined") return undefined;
  const profile = choice === "default" ? DEFAULT_SECCOMP_PROFILE : choice;
  return resolveSeccomp(profile, { ...host, capabilities: new Set(capabilities) });
}
