export type { BuildCacheRecord, BuildDoor, ClassicBuildRequest, PruneBuildCache } from "./build-door.ts";
export type { ApiServerInfo, DockerApiOptions, InstanceInfo } from "./options.ts";
export { createDockerApiServer, type DockerApiServer } from "./server.ts";
