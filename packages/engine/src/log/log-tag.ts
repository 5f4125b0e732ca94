import { hostname } from "node:os";
import { errorMessage } from "@boxship/base";
import {
  type GoFunc,
  stringMapType,
  stringSliceType,
  stringType,
  structOf,
  Template,
  templateFunctions,
  typed,
} from "@boxship/template";
import type { ContainerRecord } from "../container/record.ts";
import { invalidOption } from "./log-option.ts";

/** What Docker's templates for tags can name. */
interface LogInfo {
  readonly ContainerID: string;
  readonly ContainerName: string;
  readonly ContainerEntrypoint: string;
  readonly ContainerArgs: readonly string[];
  readonly ContainerImageID: string;
  readonly ContainerImageName: string;
  readonly ContainerCreated: string;
  readonly ContainerEnv: readonly string[];
  readonly ContainerLabels: Readonly<Record<string, string>>;
  readonly Config: Readonly<Record<string, string>>;
  readonly LogPath: string;
  readonly DaemonName: string;
}

const short = (id: string): string => id.replace(/^[a-z0-9]+:/, "").slice(0, 12);

export function commandOf({ effective }: ContainerRecord): readonly string[] {
  return [...effective.entrypoint, ...effective.cmd];
}

/** `{{.NAME}}` calls these as methods. */
const METHODS: Readonly<Record<string, (info: LogInfo) => string>> = {
  ID: ({ ContainerID }) => short(ContainerID),
  FullID: ({ ContainerID }) => ContainerID,
  Name: ({ ContainerName }) => ContainerName.replace(/^\//, ""),
  ImageID: ({ ContainerImageID }) => short(ContainerImageID),
  ImageFullID: ({ ContainerImageID }) => ContainerImageID,
  ImageName: ({ ContainerImageName }) => ContainerImageName,
  Command: ({ ContainerEntrypoint, ContainerArgs }) => [ContainerEntrypoint, ...ContainerArgs].join(" "),
  Hostname: () => hostname(),
};

const text = (name: string) => ({ name, type: stringType });

const infoType = structOf(
  "*logger.Info",
  [
    text("ContainerID"),
    text("ContainerName"),
    text("ContainerEntrypoint"),
    { name: "ContainerArgs", type: stringSliceType },
    text("ContainerImageID"),
    text("ContainerImageName"),
    text("ContainerCreated"),
    { name: "ContainerEnv", type: stringSliceType },
    { name: "ContainerLabels", type: stringMapType },
    { name: "Config", type: stringMapType },
    text("LogPath"),
    text("DaemonName"),
  ],
  {
    methods: Object.fromEntries(
      Object.entries(METHODS).map(([name, call]): [string, GoFunc] => [name, { params: [], call }]),
    ),
  },
);

/** A tag that never ends must not take the engine with it. */
const MOST_STEPS = 100_000;

function parseTag(template: string): Template {
  return new Template("log-tag", { functions: templateFunctions, maxSteps: MOST_STEPS }).parse(template);
}

/** @throws InvalidArgument for a template that is none */
export function checkTagSyntax(template: string): void {
  if (template.includes("{{")) parseTag(template);
}

/** The `tag` of a container's log. @throws InvalidArgument when the template names what there is not */
export function renderTag(template: string, record: ContainerRecord): string {
  if (!template.includes("{{")) return template;
  const [entrypoint = "", ...args] = commandOf(record);
  const info: LogInfo = {
    ContainerID: record.id,
    ContainerName: `/${record.name}`,
    ContainerEntrypoint: entrypoint,
    ContainerArgs: args,
    ContainerImageID: record.imageId,
    ContainerImageName: record.config.image,
    ContainerCreated: new Date(record.created).toISOString(),
    ContainerEnv: record.effective.env,
    ContainerLabels: record.effective.labels,
    Config: record.hostConfig.logConfig?.config ?? {},
    LogPath: "",
    DaemonName: "docker",
  };
  try {
    return parseTag(template).execute(typed(infoType, info));
  } catch (error) {
    throw invalidOption(errorMessage(error), "tag");
  }
}
