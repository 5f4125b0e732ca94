import { goDuration, InvalidArgument } from "@boxship/base";
import { signalNumber } from "@boxship/kernel";
import { expandWord, expandWords, type ImageRuntimeConfig } from "@boxship/oci";
import type { Command, StageInstruction } from "../../language/index.ts";
import { parseExposedPorts, refuse } from "../../language/index.ts";
import { withFields, withVariable } from "../growing.ts";
import { DEFAULT_SHELL, type StageState, variablesOf } from "../state.ts";
import { metadataStep, type Step, type StepHistory } from "./step.ts";

type MetadataInstruction = Exclude<StageInstruction, { readonly kind: "run" | "copy" | "add" | "workdir" | "arg" }>;

/** Replaces variables in a word of an instruction; mistakes are told with their place. */
export function expander(
  state: StageState,
  instruction: StageInstruction,
  escape: "\\" | "`",
): (word: string) => string {
  const variables = variablesOf(state);
  return (word) => placed(instruction, () => expandWord(word, variables, { escape }));
}

/** Runs something that may find the user's text wrong, and says where that text is. */
export function placed<T>(
  { place }: Pick<StageInstruction, "place">,
  task: () => T,
  remedy = "check quotes, braces and variables",
): T {
  try {
    return task();
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error;
    return refuse(place, error.message, error.remedy ?? remedy);
  }
}

/** What an instruction that makes no files does to the configuration. */
export function metadata(instruction: MetadataInstruction, state: StageState, escape: "\\" | "`"): Step {
  const expand = expander(state, instruction, escape);
  const { config } = state;
  switch (instruction.kind) {
    case "env": {
      const pairs = instruction.pairs.map(([name, value]) => [expand(name), expand(value)] as const);
      const env = pairs.reduce((all, [name, value]) => withVariable(all, name, value), config.Env ?? []);
      return simple("ENV", pairs.map(([name, value]) => `${name}=${value}`).join(" "), { Env: env });
    }
    case "label": {
      const pairs = instruction.pairs.map(([name, value]) => [expand(name), expand(value)] as const);
      const text = pairs.map(([name, value]) => `${name}=${value}`).join(" ");
      return {
        ...simple("LABEL", text, {}),
        apply: ({ config: before, ...rest }) => ({
          ...rest,
          config: { ...before, Labels: withFields(before.Labels, pairs) },
        }),
      };
    }
    case "cmd": {
      const command = shellForm(instruction.command, config);
      return {
        ...metadataStep(instruction.text, both("CMD", quotedList(command)), commandOf("Cmd", command)),
        apply: (before) => ({
          ...before,
          config: { ...before.config, ...commandOf("Cmd", command) },
          commandGiven: true,
        }),
      };
    }
    case "entrypoint":
      return entrypoint(shellForm(instruction.command, config));
    case "expose":
      return expose(instruction, state, escape);
    case "volume": {
      const paths = instruction.words.map(expand);
      const volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
      return simple("VOLUME", `[${paths.join(" ")}]`, { Volumes: volumes });
    }
    case "user":
      return simple("USER", expand(instruction.word), { User: expand(instruction.word) });
    case "stopsignal":
      return stopSignal(instruction, expand(instruction.word));
    case "shell":
      return simple("SHELL", `[${instruction.words.join(" ")}]`, { Shell: [...instruction.words] });
    case "maintainer":
      return {
        ...simple("MAINTAINER", instruction.word, {}),
        apply: (before) => ({ ...before, base: { ...before.base, author: instruction.word } }),
      };
    case "onbuild":
      return simple("ONBUILD", instruction.trigger, { OnBuild: [...(config.OnBuild ?? []), instruction.trigger] });
    case "healthcheck":
      return healthcheck(instruction, config);
    default:
      throw new TypeError(`${instruction.kind} makes files`);
  }
}

function both(keyword: string, text: string): StepHistory {
  return { classic: ` ${keyword} ${text}`, buildkit: `${keyword} ${text}` };
}

function simple(keyword: string, text: string, change: Partial<ImageRuntimeConfig>): Step {
  return metadataStep(`${keyword} ${text}`, both(keyword, text), change);
}

/** A command as it is started: with the shell in front where it is a line. */
export function shellForm(command: Command, config: ImageRuntimeConfig): readonly string[] {
  return command.form === "exec" ? command.args : [...(config.Shell ?? DEFAULT_SHELL), command.line];
}

function commandOf(field: "Cmd" | "Entrypoint", command: readonly string[]): Partial<ImageRuntimeConfig> {
  return { [field]: [...command] };
}

/** `["sh" "-c" "x"]`, as Go prints quoted strings. */
function quotedList(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(" ")}]`;
}

function entrypoint(command: readonly string[]): Step {
  const history = both("ENTRYPOINT", quotedList(command));
  return {
    key: ["ENTRYPOINT", command],
    makesLayer: false,
    history,
    apply: (state) => {
      const { Cmd, ...rest } = state.config;
      const kept = state.commandGiven && Cmd !== undefined ? { Cmd } : {};
      return { ...state, config: { ...rest, ...kept, ...commandOf("Entrypoint", command) } };
    },
  };
}

function expose(
  instruction: Extract<StageInstruction, { readonly kind: "expose" | "volume" | "shell" }>,
  state: StageState,
  escape: "\\" | "`",
): Step {
  const { place } = instruction;
  const words = placed(instruction, () =>
    instruction.words.flatMap((word) => expandWords(word, variablesOf(state), { escape })),
  );
  const ports = [
    ...new Set(
      words.flatMap(
        (word) =>
          parseExposedPorts(word)?.ports ??
          refuse(place, `invalid containerPort: ${word}`, "write EXPOSE 80, 80/udp or 8000-8010"),
      ),
    ),
  ].sort();
  const written = [...new Set(words)].sort().join(" ");
  const exposed = { ...state.config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
  return {
    ...simple("EXPOSE", ports.join(" "), { ExposedPorts: exposed }),
    history: { ...both("EXPOSE", written), buildkit: `EXPOSE [${ports.join(" ")}]` },
  };
}

function stopSignal({ place }: StageInstruction, signal: string): Step {
  try {
    signalNumber(signal);
  } catch {
    refuse(place, `Invalid signal: ${signal}`, "write a name such as SIGTERM, a number from 1 to 64, or RTMIN+n");
  }
  return simple("STOPSIGNAL", signal, { StopSignal: signal });
}

function healthcheck(
  instruction: Extract<StageInstruction, { readonly kind: "healthcheck" }>,
  config: ImageRuntimeConfig,
): Step {
  const { command, interval, timeout, startPeriod, startInterval, retries } = instruction;
  const test =
    command === undefined ? ["NONE"] : command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.line];
  const check = {
    Test: test,
    ...(interval === 0 ? {} : { Interval: interval }),
    ...(timeout === 0 ? {} : { Timeout: timeout }),
    ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
  const durations = [interval, timeout, startPeriod, startInterval].map((value) => `"${goDuration(value)}"`).join(" ");
  const classic = `&{${quotedList(test)} ${durations} '\\x${retries.toString(16).padStart(2, "0")}'}`;
  return metadataStep(instruction.text, both("HEALTHCHECK", classic), { ...config, Healthcheck: check });
}
