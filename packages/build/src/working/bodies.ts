import { InvalidArgument } from "@boxship/base";
import { flag, list, map, object, oneOf, type Read, text, textOrNull, whole } from "./read-body.ts";
import type {
  CreateWorking,
  WorkingChanges,
  WorkingCommand,
  WorkingCommit,
  WorkingCopy,
  WorkingMount,
  WorkingSettings,
  WorkingUlimit,
} from "./working-contract.ts";

const texts = list(text);
const marks = map(oneOf(true, null));

const mount = object<WorkingMount>({
  type: oneOf("bind", "tmpfs", "cache"),
  source: text,
  target: text,
  readOnly: flag,
});

const settings = object<WorkingSettings>({
  extraHosts: texts,
  capAdd: texts,
  capDrop: texts,
  cgroupParent: text,
  memory: whole,
  memorySwap: whole,
  cpuShares: whole,
  cpuPeriod: whole,
  cpuQuota: whole,
  cpusetCpus: text,
  cpusetMems: text,
  network: text,
  shmSize: whole,
  ulimits: list(object<WorkingUlimit>({ name: text, soft: whole, hard: whole })),
  mounts: list(mount),
});

const create = object<CreateWorking>({ from: text, name: text, settings });

const changes = object<WorkingChanges>({
  env: map(textOrNull),
  labels: map(textOrNull),
  annotations: map(textOrNull),
  ports: marks,
  volumes: marks,
  clear: list(oneOf("env", "labels", "annotations", "ports", "volumes")),
  cmd: texts,
  entrypoint: texts,
  shell: texts,
  onBuild: texts,
  user: text,
  workingDir: text,
  stopSignal: text,
  hostname: text,
  domainname: text,
  healthcheck: texts,
  healthInterval: whole,
  healthTimeout: whole,
  healthStartPeriod: whole,
  healthRetries: whole,
  author: text,
  comment: text,
  createdBy: text,
  historyComment: text,
  architecture: text,
  os: text,
  osVersion: text,
  osFeatures: texts,
  variant: text,
  history: texts,
});

const copy = object<WorkingCopy>({
  kind: oneOf("copy", "add"),
  sources: texts,
  destination: text,
  from: text,
  chown: text,
  chmod: text,
  addHistory: flag,
});

const command = object<WorkingCommand>({
  args: texts,
  env: texts,
  user: text,
  workingDir: text,
  hostname: text,
  terminal: flag,
  height: whole,
  width: whole,
  mounts: list(mount),
  network: text,
  capAdd: texts,
  capDrop: texts,
  addHistory: flag,
});

const commit = object<WorkingCommit>({
  names: texts,
  squash: flag,
  timestamp: whole,
  omitHistory: flag,
  unsetEnv: texts,
});

function needs<T>(read: Read<T>, ...fields: readonly (keyof T & string)[]): (body: unknown) => T {
  return (body) => {
    const value = read(body, "body");
    const missing = fields.find((field) => value[field] === undefined);
    if (missing !== undefined) throw new InvalidArgument(`body.${missing} is missing`);
    return value;
  };
}

export const readCreate = needs(create, "from");
export const readChanges = needs(changes);
export const readCopy = needs(copy, "kind", "sources");
export const readCommand = needs(command, "args");
export const readCommit = needs(commit);
