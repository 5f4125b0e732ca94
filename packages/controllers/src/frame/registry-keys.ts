/** Where a server keeps its objects, and the resource of each key: `deployments.apps`, `pods`. */
export const REGISTRY = {
  range: { start: "/registry/", end: "/registry0" },
  nameOf(key: string): string {
    const [, , group = "", resource = ""] = key.split("/");
    return group === "core" ? resource : `${resource}.${group}`;
  },
} as const;
