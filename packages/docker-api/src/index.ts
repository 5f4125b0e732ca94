export type { ApiServerInfo, DockerApiOptions, InstanceInfo } from "./options.ts";
export { createDockerApiServer, type DockerApiServer } from "./server.ts";
