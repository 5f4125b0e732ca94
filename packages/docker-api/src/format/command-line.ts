import type { EffectiveConfig } from "@boxship/engine";

/** What a container runs: the program and its arguments, as `Path` and `Args` of an inspect have them. */
export function processOf(config: Pick<EffectiveConfig, "entrypoint" | "cmd">): {
  readonly path: string;
  readonly args: readonly string[];
} {
  const [path = "", ...args] = [...config.entrypoint, ...config.cmd];
  return { path, args };
}

/** The `COMMAND` column: arguments with a space in quotes. */
export function commandLine(config: Pick<EffectiveConfig, "entrypoint" | "cmd">): string {
  const { path, args } = processOf(config);
  return [path, ...args.map((arg) => (arg.includes(" ") ? `'${arg}'` : arg))].join(" ");
}
