import type { ContainerConfig } from "@boxship/engine";
import { boolean, type Codec, field, integer, map, object, set, string, stringOrStrings, strings } from "./codec.ts";
import { healthConfig } from "./health-config.ts";
import { portSet } from "./port-map.ts";

const fields = object<Omit<ContainerConfig, "door">>("ContainerConfig", {
  hostname: field("Hostname", string, { zero: "" }),
  domainname: field("Domainname", string, { zero: "" }),
  user: field("User", string, { zero: "" }),
  attachStdin: field("AttachStdin", boolean, { zero: false }),
  attachStdout: field("AttachStdout", boolean, { zero: false }),
  attachStderr: field("AttachStderr", boolean, { zero: false }),
  exposedPorts: field("ExposedPorts", portSet),
  tty: field("Tty", boolean, { zero: false }),
  openStdin: field("OpenStdin", boolean, { zero: false }),
  stdinOnce: field("StdinOnce", boolean, { zero: false }),
  env: field("Env", strings, { zero: [] }),
  cmd: field("Cmd", stringOrStrings, { zero: null }),
  healthcheck: field("Healthcheck", healthConfig),
  image: field("Image", string, { zero: "", absent: "" }),
  volumes: field("Volumes", set, { zero: null }),
  workingDir: field("WorkingDir", string, { zero: "" }),
  entrypoint: field("Entrypoint", stringOrStrings, { zero: null, keepZero: true }),
  networkDisabled: field("NetworkDisabled", boolean),
  macAddress: field("MacAddress", string),
  onBuild: field("OnBuild", strings, { zero: null }),
  labels: field("Labels", map(string), { zero: {} }),
  stopSignal: field("StopSignal", string),
  stopTimeout: field("StopTimeout", integer("int"), { keepZero: true }),
  shell: field("Shell", strings),
});

/** `Config` of a container. An entrypoint of one empty string clears the image's, like an empty list. */
export const containerConfig: Codec<ContainerConfig> = {
  ...fields,
  decode(value, at, context) {
    const config = fields.decode(value, at, context);
    const { entrypoint } = config;
    return entrypoint?.length === 1 && entrypoint[0] === "" ? { ...config, entrypoint: [] } : config;
  },
};
