import type { WorkingChanges, WorkingView } from "@boxship/build";
import { defineBuildah, refused } from "../../buildah/buildah-command.ts";
import { splitWords } from "../../buildah/split-words.ts";
import { onWorking } from "../../buildah/working-api.ts";
import { warn } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool, duration, type FlagValues, integer, list, text } from "../../flags/flag.ts";

const FLAGS = {
  "add-history": bool("Add an entry for this operation to the image's history"),
  annotation: list("Add annotation e.g. annotation=value, for the target image", { short: "a" }),
  arch: text("Set architecture of the target image"),
  author: text("Set image author contact information"),
  cmd: text("Set the default command to run for containers based on the image"),
  comment: text("Set a comment in the target image"),
  "created-by": text("Set description of how the image was created"),
  domainname: text("Set a domain name for containers based on image"),
  entrypoint: text("Set entry point for containers based on image"),
  env: list("Add environment variable to be set when running containers based on image", { short: "e" }),
  healthcheck: text("Set a healthcheck command for the target image"),
  "healthcheck-interval": duration("Set the interval between runs of the healthcheck command"),
  "healthcheck-retries": integer("Set the number of times the healthcheck command has to fail"),
  "healthcheck-start-period": duration("Set the time after a start in which a failed healthcheck does not count"),
  "healthcheck-timeout": duration("Set the maximum amount of time to wait for a healthcheck command"),
  "history-comment": text("Set a comment for the history of the target image"),
  hostname: text("Set a hostname for containers based on image"),
  label: list("Add image configuration label e.g. label=value", { short: "l" }),
  onbuild: list("Add onbuild command to be run on images based on this image"),
  os: text("Set operating system of the target image"),
  "os-feature": list("Set required OS feature for the target image"),
  "os-version": text("Set required OS version for the target image"),
  port: list("Add port to expose when running containers based on image", { short: "p" }),
  shell: text("Add shell to run in containers"),
  "stop-signal": text("Set stop signal for containers based on image"),
  user: text("Set default user to run inside containers based on image", { short: "u" }),
  variant: text("Set architecture variant of the target image"),
  volume: list("Add default volume path to be created for containers based on image", { short: "v" }),
  workingdir: text("Set working directory for containers based on image"),
};

type Flags = FlagValues<typeof FLAGS>;

export const command = defineBuildah({
  usage: "[OPTIONS] CONTAINER",
  summary: "Update image configuration settings",
  flags: { ...FLAGS, ...refused({ "healthcheck-start-interval": "buildah has no such setting" }) },
  async run(context, { flags, changed, operands: [name, ...more] }) {
    if (name === undefined) throw new Failure("container ID must be specified");
    if (more.length > 0) throw new Failure("too many arguments specified");
    const before = await onWorking<WorkingView>(context, "GET", name);
    const changes = changesOf(flags, changed, context.env);
    warnOfCommand(before, changes, (line) => warn(context, line));
    const history = flags["add-history"] || context.env["BUILDAH_HISTORY"] === "true" ? historyOf(flags, changed) : [];
    await onWorking(context, "POST", name, "/config", {
      body: { ...changes, ...(history.length === 0 ? {} : { history }) },
    });
  },
});

/** Plain texts: flag and field. */
const TEXTS: readonly (readonly [keyof Flags, keyof WorkingChanges])[] = [
  ["arch", "architecture"],
  ["author", "author"],
  ["comment", "comment"],
  ["created-by", "createdBy"],
  ["domainname", "domainname"],
  ["history-comment", "historyComment"],
  ["hostname", "hostname"],
  ["os", "os"],
  ["os-version", "osVersion"],
  ["stop-signal", "stopSignal"],
  ["user", "user"],
  ["variant", "variant"],
  ["workingdir", "workingDir"],
];

function changesOf(flags: Flags, changed: ReadonlySet<string>, env: NodeJS.ProcessEnv): WorkingChanges {
  const clear = CLEARED.filter(([flag]) => flags[flag].includes("-")).map(([, field]) => field);
  const has = (flag: keyof Flags) => changed.has(flag);
  const check = has("healthcheck") ? { healthcheck: healthWords(flags.healthcheck) } : {};
  return {
    ...Object.fromEntries(TEXTS.filter(([flag]) => has(flag)).map(([flag, field]) => [field, flags[flag]])),
    ...(clear.length === 0 ? {} : { clear }),
    ...(has("env") ? { env: pairs(flags.env, "env", env) } : {}),
    ...(has("label") ? { labels: pairs(flags.label, "label") } : {}),
    ...(has("annotation") ? { annotations: pairs(flags.annotation, "annotation") } : {}),
    ...(has("port") ? { ports: marks(flags.port) } : {}),
    ...(has("volume") ? { volumes: marks(flags.volume) } : {}),
    ...(has("cmd") ? { cmd: splitWords(flags.cmd) } : {}),
    ...(has("entrypoint") ? { entrypoint: entrypointWords(flags.entrypoint) } : {}),
    ...(has("shell") ? { shell: splitWords(flags.shell) } : {}),
    ...(has("onbuild") ? { onBuild: flags.onbuild } : {}),
    ...(has("os-feature") ? { osFeatures: flags["os-feature"] } : {}),
    ...check,
    ...(has("healthcheck-interval") ? { healthInterval: flags["healthcheck-interval"] } : {}),
    ...(has("healthcheck-timeout") ? { healthTimeout: flags["healthcheck-timeout"] } : {}),
    ...(has("healthcheck-start-period") ? { healthStartPeriod: flags["healthcheck-start-period"] } : {}),
    ...(has("healthcheck-retries") ? { healthRetries: flags["healthcheck-retries"] } : {}),
  };
}

/** A lone `-` takes all of them away. */
const CLEARED = [
  ["env", "env"],
  ["label", "labels"],
  ["annotation", "annotations"],
  ["port", "ports"],
  ["volume", "volumes"],
] as const;

/** `NAME=value`; `NAME-` takes it away. */
function pairs(
  words: readonly string[],
  what: string,
  env?: NodeJS.ProcessEnv,
): Readonly<Record<string, string | null>> {
  const entries = words
    .filter((word) => word !== "-")
    .map((word): readonly [string, string | null] => {
      const at = word.indexOf("=");
      if (at >= 0) return [word.slice(0, at), word.slice(at + 1)];
      if (word.endsWith("-")) return [word.slice(0, -1), null];
      const own = env?.[word];
      if (own !== undefined) return [word, own];
      if (env !== undefined) throw new Failure(`setting ${what} ${JSON.stringify(word)}: no value given`);
      return [word, ""];
    });
  return Object.fromEntries(entries);
}

function marks(words: readonly string[]): Readonly<Record<string, true | null>> {
  const entries = words
    .filter((word) => word !== "-")
    .map((word): readonly [string, true | null] => (word.endsWith("-") ? [word.slice(0, -1), null] : [word, true]));
  return Object.fromEntries(entries);
}

/** A JSON list, else a line for the shell. */
function entrypointWords(value: string): readonly string[] {
  const listed = jsonList(value);
  if (listed !== undefined) return listed;
  return value === "" ? [] : ["/bin/sh", "-c", value];
}

function jsonList(value: string): readonly string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) && parsed.every((word) => typeof word === "string") ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function healthWords(value: string): readonly string[] {
  const listed = jsonList(value);
  if (listed !== undefined) return listed;
  const words = splitWords(value);
  return ["CMD", "CMD-SHELL", "NONE"].includes(words[0] ?? "NONE") ? words : ["CMD-SHELL", ...words];
}

function warnOfCommand(
  { document }: WorkingView,
  { entrypoint, cmd }: WorkingChanges,
  tell: (line: string) => void,
): void {
  if (entrypoint === undefined || cmd !== undefined) return;
  const { config } = document as { readonly config?: { readonly Cmd?: readonly string[] } };
  const before = (config?.Cmd ?? []).join(" ");
  if (before === "") return;
  const isLine = entrypoint[1] === "-c" && entrypoint.length === 3;
  const what = isLine
    ? "exists but will be ignored because of entrypoint settings"
    : "exists and will be passed to entrypoint as a parameter";
  tell(`cmd ${JSON.stringify(before)} ${what}`);
}

/** Buildah's order. */
const HISTORY: readonly (readonly [keyof Flags, (value: string) => string])[] = [
  ["user", (value) => `USER ${value}`],
  ["port", (value) => `EXPOSE ${value}`],
  ["env", (value) => `ENV ${value}`],
  ["entrypoint", (value) => `ENTRYPOINT ${value}`],
  ["cmd", (value) => `CMD ${value}`],
  ["volume", (value) => `VOLUME ${value}`],
  ["label", (value) => `LABEL ${value}`],
  ["workingdir", (value) => `WORKDIR ${value}`],
  ["shell", (value) => `SHELL ${value}`],
  ["stop-signal", (value) => `STOPSIGNAL ${value}`],
  ["healthcheck", (value) => `HEALTHCHECK ${value}`],
  ["onbuild", (value) => `ONBUILD ${value}`],
];

function historyOf(flags: Flags, changed: ReadonlySet<string>): readonly string[] {
  return HISTORY.filter(([flag]) => changed.has(flag)).flatMap(([flag, line]) => {
    const value = flags[flag];
    const values = Array.isArray(value) ? (value as readonly string[]) : [String(value)];
    return values.map((one) => `/bin/sh -c #(nop) ${line(one)}`);
  });
}
