import type { Route } from "../http/route.ts";
import type { Role } from "./role.ts";

/** Routes that change nothing and ask nobody outside. */
const READS: ReadonlySet<string> = new Set([
  "GET /_ping",
  "HEAD /_ping",
  "GET /boxship/ping",
  "GET /containers/json",
  "GET /containers/{id}/archive",
  "HEAD /containers/{id}/archive",
  "GET /containers/{id}/changes",
  "GET /containers/{id}/export",
  "GET /containers/{id}/json",
  "GET /containers/{id}/logs",
  "GET /containers/{id}/stats",
  "GET /containers/{id}/top",
  "POST /containers/{id}/wait",
  "GET /events",
  "GET /exec/{id}/json",
  "GET /images/get",
  "GET /images/json",
  "GET /images/{name*}/get",
  "GET /images/{name*}/history",
  "GET /images/{name*}/json",
  "GET /info",
  "GET /networks",
  "GET /networks/{id}",
  "GET /plugins",
  // There are none: `docker inspect NAME` asks for one at last, and wants to hear that.
  "GET /plugins/{name*}/json",
  "GET /system/df",
  "GET /version",
  "GET /volumes",
  "GET /volumes/{name}",
]);

/** Routes that a confined client has beside those; what they may do is decided by the engine that it is given. */
const CONFINED: ReadonlySet<string> = new Set([
  "POST /auth",
  "POST /commit",
  "DELETE /containers/{id}",
  "PUT /containers/{id}/archive",
  "POST /containers/{id}/attach",
  "GET /containers/{id}/attach/ws",
  "POST /containers/{id}/exec",
  "POST /containers/{id}/kill",
  "POST /containers/{id}/pause",
  "POST /containers/{id}/rename",
  "POST /containers/{id}/resize",
  "POST /containers/{id}/restart",
  "POST /containers/{id}/start",
  "POST /containers/{id}/stop",
  "POST /containers/{id}/unpause",
  "POST /containers/{id}/update",
  "POST /containers/create",
  "POST /containers/prune",
  "GET /distribution/{name*}/json",
  "POST /exec/{id}/resize",
  "POST /exec/{id}/start",
  "POST /images/create",
  "POST /images/load",
  "GET /images/search",
  "DELETE /images/{name*}",
  "POST /images/{name*}/push",
  "POST /images/{name*}/tag",
  "DELETE /networks/{id}",
  "POST /networks/{id}/connect",
  "POST /networks/{id}/disconnect",
  "POST /networks/create",
  "POST /networks/prune",
  "DELETE /volumes/{name}",
  "POST /volumes/create",
  "POST /volumes/prune",
]);

type Endpoint = Pick<Route, "method" | "path">;

const nameOf = ({ method, path }: Endpoint): string => `${method} ${path}`;

/** Whether a role has a route at all. A route that nobody has thought about is denied. */
export function mayCall({ kind }: Role, route: Endpoint): boolean {
  const name = nameOf(route);
  return READS.has(name) || (kind === "confined" && CONFINED.has(name));
}

/** Whether a call of the route can change anything, and belongs into the audit log. */
export function isMutating(route: Endpoint): boolean {
  const reads = route.method === "GET" || route.method === "HEAD" || READS.has(nameOf(route));
  return !reads || route.path === "/containers/{id}/attach/ws";
}

/** All routes that the two tables name, for their test. */
export const NAMED_ROUTES: ReadonlySet<string> = new Set([...READS, ...CONFINED]);
