import { text } from "../../http/query.ts";
import { created, defineRoute } from "../../http/route.ts";
import { decodeCreateContainer } from "../../wire/create-container.ts";
import { answerFields } from "../../wire/endpoint.ts";

export const containerCreate = defineRoute({
  method: "POST",
  path: "/containers/create",
  doc: {
    state: "differs",
    note: "fields that cannot be honoured (Cgroup, Windows' own) are refused by name with 501 instead of being ignored; a wrong type is a 400",
    details: {
      ...answerFields("NetworkingConfig.EndpointsConfig"),
      ArgsEscaped: { state: "differs", note: "passed over: it means something on Windows only" },
      "HostConfig.DeviceRequests": {
        state: "works",
        note: "by device specifications (CDI), which also describe NVIDIA's; or by the hook of NVIDIA's container toolkit",
      },
      "HostConfig.CpuRealtimeRuntime": {
        state: "refused",
        note: "the engine's control group has no real-time budget to hand on",
      },
      "HostConfig.StorageOpt": {
        state: "differs",
        note: "`size` works on every file system: the writable layer is an ext4 file system in a file then. At least 8m; refused without root",
      },
      "HostConfig.VolumeDriver": { state: "differs", note: "there is `local`; others are refused by name" },
      "HostConfig.SecurityOpt": {
        state: "differs",
        note: "SELinux labels other than `label=disable` are refused: nothing here would enforce them",
      },
      "HostConfig.UsernsMode": { state: "works", note: "`host`, or empty for what the configuration says" },
      "HostConfig.Runtime": { state: "works", note: "`crun`, `runc`, and what the configuration names" },
      "HostConfig.Mounts.Type": { state: "differs", note: "`npipe` (Windows) and `cluster` (swarm) are refused" },
    },
  },
  query: (query) => ({ name: text(query, "name")?.replace(/^\//, ""), platform: text(query, "platform") }),
  body: (body, context) => ({ ...decodeCreateContainer(body, context), warnings: context.warnings }),
  handle: async ({ engine }, { query: { name, platform }, body: { warnings, ...request } }) => {
    const result = await engine.containers.create({
      ...request,
      ...(name === undefined ? {} : { name }),
      ...(platform === undefined ? {} : { platform }),
    });
    return created({ Id: result.id, Warnings: [...warnings, ...result.warnings] });
  },
});
