import { FailedPrecondition, findProgram, readIfPresent } from "@boxship/base";

/** @throws FailedPrecondition naming Debian's package */
export function requireProgram(name: string, debianPackage: string): string {
  const found = findProgram(name);
  if (found !== undefined) return found;
  throw new FailedPrecondition(`an engine without root needs ${name}, which is not installed`, {
    subject: { kind: "program", name },
    remedy: `install the package ${debianPackage}, e.g. apt-get install ${debianPackage}; or start the engine as root`,
  });
}

const setting = (path: string): string | undefined => readIfPresent(path)?.trim();

/** What in this kernel's settings keeps users from making user namespaces, as a sentence and its remedy. */
export function userNamespaceObstacle(
  read: (path: string) => string | undefined = setting,
): { readonly reason: string; readonly remedy: string } | undefined {
  const obstacles = [
    { name: "user.max_user_namespaces", path: "/proc/sys/user/max_user_namespaces", bad: "0", good: "28633" },
    {
      name: "kernel.unprivileged_userns_clone",
      path: "/proc/sys/kernel/unprivileged_userns_clone",
      bad: "0",
      good: "1",
    },
    {
      name: "kernel.apparmor_restrict_unprivileged_userns",
      path: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
      bad: "1",
      good: "0",
    },
  ];
  const found = obstacles.find(({ path, bad }) => read(path) === bad);
  if (found === undefined) return undefined;
  return {
    reason: `${found.name} is ${found.bad}`,
    remedy: `let root run: sysctl -w ${found.name}=${found.good} (and keep it in /etc/sysctl.d); or start the engine as root`,
  };
}
