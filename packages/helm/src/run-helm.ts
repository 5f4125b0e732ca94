import { BoxshipError } from "@boxship/base/errors";
import { FlagError, HelpRequested, parseFlags } from "@boxship/base/parse-flags";
import type { Session } from "@boxship/kubectl/cluster";
import { clusterFlags } from "./cluster-flags.ts";
import type { ClusterFlags, Command, Entry, HelmIo, Surroundings } from "./command.ts";
import { failureText } from "./failure-text.ts";
import { refuseFlags } from "./flags.ts";
import { table } from "./table.ts";

/**
 * Helm, whole.
 *
 * @param args words after `helm`
 * @returns the exit status
 */
export async function runHelm(args: readonly string[], io: HelmIo): Promise<number> {
  try {
    const found = findCommand(args, io);
    if (found === undefined) return 0;
    const { command } = (await found.entry.load?.()) ?? {};
    if (command === undefined) return 0;
    await runCommand(command, found, io);
    return 0;
  } catch (error) {
    io.stderr.write(`Error: ${failureText(error)}\n`);
    if (args.includes("--debug") && error instanceof Error) io.stderr.write(`${error.stack ?? ""}\n`);
    if (error instanceof BoxshipError && error.remedy !== undefined) io.stderr.write(`Hint: ${error.remedy}\n`);
    return 1;
  }
}

interface Found {
  readonly entry: Entry;
  readonly path: string;
  readonly rest: readonly string[];
}

/** Flags may stand before words. */
function wordAt(words: readonly string[]): number {
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!word.startsWith("-") || word === "-") return at;
    const name = word.replace(/^--?/, "");
    const flag = Object.entries(clusterFlags).find(
      ([long, one]) => long === name || ("short" in one && one.short === name),
    )?.[1];
    if (flag !== undefined && !("bare" in flag)) at++;
  }
  return -1;
}

/** Undefined: help was asked for and told. */
function findCommand(args: readonly string[], io: HelmIo): Found | undefined {
  let entry: Entry = { name: "helm", summary: "", children: table };
  let path = "helm";
  let rest = [...args];
  while (entry.children !== undefined) {
    const at = wordAt(rest);
    const word = rest[at];
    const next = entry.children.find((one) => one.name === word || (word !== undefined && one.aliases?.includes(word)));
    if (next === undefined) {
      if (word === "help" || word === undefined) {
        io.stdout.write(groupText(entry, path));
        return undefined;
      }
      throw new FlagError(`unknown command ${JSON.stringify(word)} for ${JSON.stringify(path)}`);
    }
    if (next.refused !== undefined) throw new FlagError(`${path} ${next.name} is not supported: ${next.refused}`);
    rest = rest.toSpliced(at, 1);
    path = `${path} ${next.name}`;
    entry = next;
  }
  return { entry, path, rest };
}

function groupText(entry: Entry, path: string): string {
  const lines = (entry.children ?? [])
    .filter(({ raw }) => raw !== true)
    .map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`);
  return `Usage:  ${path} COMMAND\n\nCommands:\n${lines.join("\n")}\n`;
}

function commandText(command: Command, path: string): string {
  const lines = Object.entries({ ...clusterFlags, ...command.flags })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { short }]) => `  ${short === undefined ? "    " : `-${short}, `}--${name}`);
  return `${command.summary}\n\nUsage:  ${path} ${command.usage}\n\nFlags:\n${lines.join("\n")}\n`;
}

/** Releases that were looked for in another place would be installed again. */
function checkDriver(driver = ""): void {
  if (["", "secret", "secrets", "configmap", "configmaps"].includes(driver)) return;
  throw new FlagError(`HELM_DRIVER=${driver} is not supported: releases are kept in Secrets or ConfigMaps`);
}

/** As Go reads truth values. */
const isTrue = (text = ""): boolean => ["1", "t", "T", "TRUE", "true", "True"].includes(text);

/** Nothing is coloured: who asks for that is told. */
function checkColor(...modes: readonly string[]): void {
  for (const mode of modes) {
    if (["", "auto", "never"].includes(mode)) continue;
    if (mode === "always") throw new FlagError("--color=always is not supported: output has no colours");
    throw new FlagError(`invalid color mode ${JSON.stringify(mode)}: must be one of: never, auto, always`);
  }
}

async function runCommand(command: Command, { entry: { raw }, path, rest }: Found, io: HelmIo): Promise<void> {
  try {
    const { values, changed, operands } = parseFlags(
      { ...clusterFlags, ...command.flags },
      raw === true ? ["--", ...rest] : rest,
    );
    const { min, max } = command.operands;
    if (operands.length < min || operands.length > max) {
      const many = (count: number): string => `${count} argument${count === 1 ? "" : "s"}`;
      const wanted = min === max ? many(min) : operands.length < min ? `at least ${many(min)}` : `at most ${many(max)}`;
      throw new FlagError(`${JSON.stringify(path)} requires ${wanted}\n\nUsage:  ${path} ${command.usage}`);
    }
    refuseFlags(changed, "burst-limit", "content-cache", "qps", "registry-config");
    checkColor(values.color, values.colour, io.env["HELM_COLOR"] ?? "");
    if (path !== "helm env") checkDriver(io.env["HELM_DRIVER"]);
    await using opened = new OpenSurroundings(io, values);
    await command.run(opened, { flags: values, changed, operands });
    return;
  } catch (error) {
    if (!(error instanceof HelpRequested)) throw error;
    io.stdout.write(commandText(command, path));
  }
}

class OpenSurroundings implements Surroundings, AsyncDisposable {
  readonly io: HelmIo;
  readonly #flags: ClusterFlags;
  #session: Promise<Session> | undefined;

  constructor(io: HelmIo, flags: ClusterFlags) {
    this.io = io;
    this.#flags = flags;
  }

  cluster(): Promise<Session> {
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<Session> {
    const { globalFlags, Session: Opened } = await import("@boxship/kubectl/cluster");
    const flags = this.#flags;
    const { env } = this.io;
    const initial = parseFlags(globalFlags, []).values;
    const groups = (env["HELM_KUBEASGROUPS"] ?? "").split(",").filter((one) => one !== "");
    return new Opened(this.io, {
      ...initial,
      kubeconfig: flags.kubeconfig,
      context: flags["kube-context"] || (env["HELM_KUBECONTEXT"] ?? ""),
      namespace: flags.namespace || (env["HELM_NAMESPACE"] ?? ""),
      server: flags["kube-apiserver"] || (env["HELM_KUBEAPISERVER"] ?? ""),
      token: flags["kube-token"] || (env["HELM_KUBETOKEN"] ?? ""),
      as: flags["kube-as-user"] || (env["HELM_KUBEASUSER"] ?? ""),
      "as-group": flags["kube-as-group"].length > 0 ? flags["kube-as-group"] : groups,
      "certificate-authority": flags["kube-ca-file"] || (env["HELM_KUBECAFILE"] ?? ""),
      "insecure-skip-tls-verify":
        flags["kube-insecure-skip-tls-verify"] || isTrue(env["HELM_KUBEINSECURE_SKIP_TLS_VERIFY"]),
      "tls-server-name": flags["kube-tls-server-name"] || (env["HELM_KUBETLS_SERVER_NAME"] ?? ""),
    });
  }

  async namespace(): Promise<string> {
    const given = this.#flags.namespace || this.io.env["HELM_NAMESPACE"];
    return given === undefined || given === "" ? await (await this.cluster()).namespace() : given;
  }

  print(line: string): void {
    this.io.stdout.write(`${line}\n`);
  }

  warn(line: string): void {
    this.io.stderr.write(`${line}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#session?.catch(() => undefined))?.[Symbol.dispose]();
  }
}
