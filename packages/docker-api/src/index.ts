export type { AuditEntry, AuditOptions, Peer } from "./access/audit.ts";
export { parseRole, type Role, type RoleRequest } from "./access/role.ts";
export type { BuildCacheRecord, BuildDoor, ClassicBuildRequest, PruneBuildCache } from "./build-door.ts";
export type {
  ApiServerInfo,
  CreateSocketRequest,
  DockerApiOptions,
  InstanceInfo,
  SocketsApi,
  SocketView,
} from "./options.ts";
export { createDockerApiServer, type DockerApiServer } from "./server.ts";
