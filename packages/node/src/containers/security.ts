import { join } from "node:path";
import { Unsupported } from "@boxship/base";
import { type LinuxContainerSecurityContext, ProfileType, SupplementalGroups } from "@boxship/cri";
import type { Init } from "@boxship/grpc";
import type { ContainerSpec, Pod, PodSecurityContext } from "../types.ts";

/** The rights of a container: what it says itself goes before what its pod says. */
export function securityContext(
  { spec: { securityContext: whole = {} } }: Pod,
  { securityContext: own = {}, name }: ContainerSpec,
  image: { readonly uid: number | undefined; readonly username: string },
  seccompDirectory: string,
): Init<LinuxContainerSecurityContext> {
  if (own.procMount !== undefined && own.procMount !== "Default") {
    throw new Unsupported(`container ${name}: procMount ${own.procMount} is not supported`);
  }
  const user = own.runAsUser ?? whole.runAsUser;
  const group = own.runAsGroup ?? whole.runAsGroup;
  const groups = [...(whole.supplementalGroups ?? []), ...(whole.fsGroup === undefined ? [] : [whole.fsGroup])];
  // A group alone needs somebody whose it is.
  const byImage =
    group === undefined
      ? {}
      : image.username === ""
        ? { runAsUser: { value: image.uid ?? 0 } }
        : { runAsUsername: image.username };
  return {
    privileged: own.privileged === true,
    readonlyRootfs: own.readOnlyRootFilesystem === true,
    noNewPrivs: own.allowPrivilegeEscalation === false,
    ...(user === undefined ? byImage : { runAsUser: { value: user } }),
    ...(group === undefined ? {} : { runAsGroup: { value: group } }),
    supplementalGroups: groups,
    supplementalGroupsPolicy: SupplementalGroups[whole.supplementalGroupsPolicy === "Strict" ? "Strict" : "Merge"],
    capabilities: {
      addCapabilities: own.capabilities?.add ?? [],
      dropCapabilities: own.capabilities?.drop ?? [],
    },
    ...profile("seccomp", own.seccompProfile ?? whole.seccompProfile, (path) => join(seccompDirectory, path)),
    ...profile("apparmor", own.appArmorProfile ?? whole.appArmorProfile, (path) => path),
  };
}

/** Without a word, the engine's own profile: it is the safer one. */
function profile(
  kind: "apparmor" | "seccomp",
  given: PodSecurityContext["seccompProfile"],
  placeOf: (path: string) => string,
) {
  switch (given?.type) {
    case undefined:
    case "":
    case "RuntimeDefault":
      return {};
    case "Unconfined":
      return { [kind]: { profileType: ProfileType.Unconfined } };
    case "Localhost":
      return { [kind]: { profileType: ProfileType.Localhost, localhostRef: placeOf(given.localhostProfile ?? "") } };
    default:
      throw new Unsupported(`${kind} profile of type ${given?.type} is not supported`);
  }
}
