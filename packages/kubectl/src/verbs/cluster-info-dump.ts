import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isObject, type Json, type KubeObject, listAt, textAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { defineCommand, type Invocation } from "../command.ts";
import { bool, duration, slice, str } from "../flags.ts";
import { outputFlags } from "../global-flags.ts";
import { formatPrinter, type Printer, unknownFormat } from "../print/printer.ts";
import { openPodLog } from "../request/pod-log.ts";
import { collectionPathOf } from "../resource/discovery.ts";
import type { Session } from "../session.ts";

/** What is dumped of each namespace: group, resource, and the file. */
const LISTS = [
  ["", "events", "events"],
  ["", "replicationcontrollers", "replication-controllers"],
  ["", "services", "services"],
  ["apps", "daemonsets", "daemonsets"],
  ["apps", "deployments", "deployments"],
  ["apps", "replicasets", "replicasets"],
  ["", "pods", "pods"],
] as const;

const flags = {
  ...outputFlags,
  output: str("json", { short: "o" }),
  "all-namespaces": bool(false, { short: "A" }),
  namespaces: slice(),
  "output-directory": str(),
  "pod-running-timeout": duration(20_000),
};

type Flags = Invocation<typeof flags>["flags"];

export const command = defineCommand({
  usage: "[flags] [options]",
  summary: "Dump relevant information for debugging and diagnosis",
  flags,
  async run(session, { flags: given }) {
    const print = await formatPrinter(given);
    if (print === undefined) throw unknownFormat(given.output);
    const dump = new Dump(session, print, given);
    await dump.list("", "", "nodes", "nodes");
    for (const namespace of await namespacesOf(session, given)) {
      let pods: readonly KubeObject[] = [];
      for (const [group, resource, file] of LISTS)
        pods = await dump.list(namespace, group, resource, `${namespace}/${file}`);
      for (const pod of pods) await dump.logs(namespace, pod);
    }
    if (dump.directory !== undefined) session.print(`Cluster info dumped to ${dump.directory}`);
  },
});

async function namespacesOf(session: Session, given: Flags): Promise<readonly string[]> {
  if (!given["all-namespaces"]) {
    return given.namespaces.length > 0 ? given.namespaces : ["kube-system", await session.namespace()];
  }
  const mapping = (await session.mapper()).known("", "namespaces");
  const all = await (await session.api()).call("GET", collectionPathOf(mapping, ""));
  return listAt(all, "items").map((one) => textAt(one, "metadata", "name"));
}

const EXTENSIONS: Readonly<Record<string, string>> = { json: ".json", yaml: ".yaml" };

class Dump {
  /** Undefined: all goes to standard output. */
  readonly directory: string | undefined;
  readonly #session: Session;
  readonly #print: Printer;
  readonly #extension: string;

  constructor(session: Session, print: Printer, given: Flags) {
    const { "output-directory": directory } = given;
    this.directory = directory === "" || directory === "-" ? undefined : directory;
    this.#session = session;
    this.#print = print;
    this.#extension = EXTENSIONS[given.output] ?? ".txt";
  }

  async list(namespace: string, group: string, resource: string, file: string): Promise<readonly KubeObject[]> {
    const mapping = (await this.#session.mapper()).known(group, resource);
    const list = await (await this.#session.api()).call("GET", collectionPathOf(mapping, namespace));
    await this.#write(`${file}${this.#extension}`, this.#print(bare(list)));
    return listAt(list, "items") as unknown as readonly KubeObject[];
  }

  async logs(namespace: string, pod: KubeObject): Promise<void> {
    const { name = "" } = pod.metadata;
    let text = "";
    for (const field of ["initContainers", "containers"]) {
      for (const container of listAt(pod, "spec", field)) {
        const which = `logs for container ${textAt(container, "name")} of pod ${namespace}/${name} ====`;
        text += `==== START ${which}\n${await this.#logsOf(pod, textAt(container, "name"))}==== END ${which}\n`;
      }
    }
    await this.#write(join(namespace, name, "logs.txt"), text);
  }

  async #logsOf(pod: KubeObject, container: string): Promise<string> {
    let text = "";
    try {
      for await (const chunk of await openPodLog(this.#session, pod.metadata, { container })) text += chunk;
      return text;
    } catch (error) {
      return `${text}Request log error: ${errorMessage(error)}\n`;
    }
  }

  async #write(file: string, text: string): Promise<void> {
    if (this.directory === undefined) {
      this.#session.io.stdout.write(text);
      return;
    }
    const path = join(this.directory, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}

/** A list as Go has it: its items have no type of their own, and none at all are null. */
function bare(list: Json): Json {
  if (!isObject(list)) return list;
  const items = listAt(list, "items").map((item): Json => {
    if (!isObject(item)) return item;
    const { apiVersion: _version, kind: _kind, ...rest } = item;
    return rest;
  });
  return { ...list, items: items.length === 0 ? null : items };
}
