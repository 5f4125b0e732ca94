import { InvalidArgument } from "@boxship/base";
import type { HostFacts } from "./host.ts";
import type { OciNamespace, OciNamespaceType } from "./oci.ts";
import type { NamespaceChoice, NamespaceRequest } from "./request.ts";

/**
 * The namespaces of a container; there is always a mount namespace of its own.
 *
 * @throws InvalidArgument a path that is not absolute, or a private cgroup namespace where the kernel has none
 */
export function resolveNamespaces(request: NamespaceRequest, host: HostFacts): readonly OciNamespace[] {
  const result: OciNamespace[] = [{ type: "mount" }];
  const add = (type: OciNamespaceType, choice: NamespaceChoice): void => {
    if (choice === "host") return;
    if (choice === "private") {
      result.push({ type });
      return;
    }
    if (!choice.path.startsWith("/"))
      throw new InvalidArgument(`${type} namespace ${choice.path}: not an absolute path`);
    result.push({ type, path: choice.path });
  };
  add("network", request.network ?? "private");
  add("uts", request.uts ?? "private");
  add("pid", request.pid ?? "private");
  add("ipc", request.ipc ?? "private");
  add("cgroup", request.cgroup ?? (host.cgroup.version === "v2" ? "private" : "host"));
  if (request.user !== undefined) {
    if (request.user.uids.length === 0 || request.user.gids.length === 0) {
      throw new InvalidArgument("a user namespace needs at least one uid and one gid mapping");
    }
    result.push({ type: "user", ...(request.user.path === undefined ? {} : { path: request.user.path }) });
  }
  return result;
}
