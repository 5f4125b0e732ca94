import { posix } from "node:path";
import { InvalidArgument } from "@boxship/base";
import type { Healthcheck, ImageRuntimeConfig } from "../image-config.ts";
import { type Change, type CommandForm, type HealthOptions, parseChanges } from "./parse-changes.ts";
import { expandWord, type Variables } from "./shell-word.ts";

type Config = { -readonly [K in keyof ImageRuntimeConfig]: ImageRuntimeConfig[K] };

export interface ApplyChangesOptions {
  /** Whether a text names a signal. @default every text does */
  readonly isSignal?: (text: string) => boolean;
}

const SHELL: readonly string[] = ["/bin/sh", "-c"];

/**
 * A configuration with instructions applied to it, in order; variables in them are those that the configuration has by
 * then. As with Docker an `ENTRYPOINT` drops a command that was there before, unless a `CMD` came with it.
 *
 * @throws InvalidArgument for a malformed instruction
 */
export function applyChanges(
  config: ImageRuntimeConfig,
  texts: readonly string[],
  options: ApplyChangesOptions = {},
): ImageRuntimeConfig {
  const editor = new Editor(config, options);
  for (const change of parseChanges(texts)) editor.apply(change);
  return editor.config;
}

class Editor {
  readonly config: Config;
  readonly #options: ApplyChangesOptions;
  #commandGiven = false;

  constructor(config: ImageRuntimeConfig, options: ApplyChangesOptions) {
    this.config = { ...config };
    this.#options = options;
  }

  apply(change: Change): void {
    const { config } = this;
    switch (change.kind) {
      case "cmd":
        config.Cmd = this.#command(change.command);
        this.#commandGiven = true;
        return;
      case "entrypoint":
        config.Entrypoint = this.#command(change.command);
        if (!this.#commandGiven) delete config.Cmd;
        return;
      case "env":
        config.Env = change.pairs.reduce((env, pair) => setVariable(env, this.#pair(pair)), config.Env ?? []);
        return;
      case "label":
        config.Labels = { ...config.Labels, ...Object.fromEntries(change.pairs.map((pair) => this.#pair(pair))) };
        return;
      case "expose": {
        const words = change.words.flatMap((word) => this.#expand(word).split(/\s+/));
        const ports = words.filter((word) => word !== "").flatMap(portsOf);
        config.ExposedPorts = { ...config.ExposedPorts, ...setOf(ports) };
        return;
      }
      case "volume":
        config.Volumes = { ...config.Volumes, ...setOf(change.words.map((word) => this.#volume(word))) };
        return;
      case "user":
        config.User = this.#expand(change.word);
        return;
      case "workdir":
        config.WorkingDir = this.#workdir(change.word);
        return;
      case "stopsignal":
        config.StopSignal = this.#signal(change.word);
        return;
      case "onbuild":
        config.OnBuild = [...(config.OnBuild ?? []), change.trigger];
        return;
      case "healthcheck":
        config.Healthcheck = healthcheck(change.command, change.options);
    }
  }

  #expand(word: string): string {
    return expandWord(word, variablesOf(this.config.Env ?? []));
  }

  #pair([name, value]: readonly [string, string]): readonly [string, string] {
    return [this.#expand(name), this.#expand(value)];
  }

  #command(command: CommandForm): readonly string[] {
    if (command.form === "exec") return command.args;
    return [...(this.config.Shell ?? SHELL), command.line];
  }

  #volume(word: string): string {
    const path = this.#expand(word);
    if (path.trim() !== "") return path;
    throw new InvalidArgument("VOLUME specified can not be an empty string", {
      subject: { kind: "change", name: word },
    });
  }

  #workdir(word: string): string {
    const path = this.#expand(word);
    if (path === "") throw new InvalidArgument("WORKDIR: cannot normalize nothing");
    return posix.resolve("/", this.config.WorkingDir ?? "", path);
  }

  #signal(word: string): string {
    const signal = this.#expand(word);
    if (this.#options.isSignal?.(signal) !== false) return signal;
    throw new InvalidArgument(`STOPSIGNAL: invalid signal: ${signal}`, { subject: { kind: "signal", name: signal } });
  }
}

function variablesOf(env: readonly string[]): Variables {
  return (name) => {
    const entry = env.findLast((text) => text.startsWith(`${name}=`));
    return entry?.slice(name.length + 1);
  };
}

/** In the place of the variable's old value, or at the end. */
function setVariable(env: readonly string[], [name, value]: readonly [string, string]): readonly string[] {
  const entry = `${name}=${value}`;
  const at = env.findIndex((text) => text.split("=", 1)[0] === name);
  return at === -1 ? [...env, entry] : env.with(at, entry);
}

function setOf(names: readonly string[]): Readonly<Record<string, Readonly<Record<string, never>>>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

const PROTOCOLS: readonly string[] = ["tcp", "udp", "sctp"];

/** `80`, `53/udp`, `8000-8010/tcp`; what stands before the last colon is for publishing and says nothing here. */
function portsOf(text: string): readonly string[] {
  const invalid = (what: string) =>
    new InvalidArgument(`EXPOSE: invalid ${what}: ${text}`, { subject: { kind: "port", name: text } });
  const [ports = "", protocol = "tcp", ...others] = text.split("/");
  if (others.length > 0 || !PROTOCOLS.includes(protocol.toLowerCase())) throw invalid("proto");
  const range = /^(?:.*:)?(\d{1,5})(?:-(\d{1,5}))?$/.exec(ports);
  if (range === null) throw invalid("containerPort");
  const [start, end] = [Number(range[1]), Number(range[2] ?? range[1])];
  if (start > 65_535 || end > 65_535 || end < start) throw invalid("containerPort");
  return Array.from({ length: end - start + 1 }, (_, index) => `${start + index}/${protocol.toLowerCase()}`);
}

function healthcheck(command: CommandForm | undefined, options: HealthOptions): Healthcheck {
  if (command === undefined) return { Test: ["NONE"] };
  const Test = command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.line];
  const { interval, timeout, startPeriod, startInterval, retries } = options;
  return {
    Test,
    ...(interval === 0 ? {} : { Interval: interval }),
    ...(timeout === 0 ? {} : { Timeout: timeout }),
    ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
}
