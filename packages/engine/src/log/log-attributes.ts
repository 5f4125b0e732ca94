import { errorMessage } from "@boxship/base";
import type { ContainerRecord } from "../container/record.ts";
import { invalidOption } from "./log-option.ts";

type Options = Readonly<Record<string, string>>;
type Matcher = (name: string) => boolean;

/** @throws InvalidArgument for `labels-regex` and `env-regex` that are none */
export async function checkLogPatterns(options: Options): Promise<void> {
  await matcher(options, "labels-regex");
  await matcher(options, "env-regex");
}

/** Go's regular expressions, which take no longer for any pattern. Loaded when one is used. */
async function matcher(options: Options, name: string): Promise<Matcher> {
  const text = options[name] ?? "";
  if (text === "") return () => false;
  const { RE2JS } = await import("re2js");
  try {
    const pattern = RE2JS.compile(text);
    return (candidate) => pattern.matcher(candidate).find();
  } catch (error) {
    throw invalidOption(errorMessage(error), name);
  }
}

const listed = (list = ""): Matcher => {
  const names = new Set(list.split(","));
  return (name) => names.has(name);
};

/**
 * The labels and environment variables of a container that its log's options ask for.
 *
 * @param rename what a driver makes of their names
 */
export async function logAttributes(
  { effective, hostConfig }: ContainerRecord,
  rename: (name: string) => string = (name) => name,
): Promise<Readonly<Record<string, string>>> {
  const options = hostConfig.logConfig?.config ?? {};
  const environment = effective.env.flatMap((entry) => {
    const at = entry.indexOf("=");
    return at < 0 ? [] : [[entry.slice(0, at), entry.slice(at + 1)] as const];
  });
  const chosen = async (kind: "labels" | "env", all: readonly (readonly [string, string])[]) => {
    const [byName, byPattern] = [listed(options[kind]), await matcher(options, `${kind}-regex`)];
    return all.filter(([name]) => byName(name) || byPattern(name));
  };
  const entries = [
    ...(await chosen("labels", Object.entries(effective.labels))),
    ...(await chosen("env", environment)),
  ];
  return Object.fromEntries(entries.map(([name, value]) => [rename(name), value]));
}
