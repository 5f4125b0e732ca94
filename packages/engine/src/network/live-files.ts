import { readFileSync, writeFileSync } from "node:fs";
import { errorMessage } from "@boxship/base";
import type { ContainerRecord } from "../container/record.ts";
import { networkFiles } from "../container/start-network.ts";
import { isAlive } from "../container/state.ts";
import type { EngineContext } from "../context.ts";

/**
 * Changes the networks of a running container, and its /etc/hosts and /etc/resolv.conf with them: addresses come and go as
 * lines, and the resolvers as long as nobody inside has written their own. The files are written in place, for they are
 * mounted one by one.
 */
export async function changeNetworks<Result>(
  context: EngineContext,
  id: string,
  change: () => Promise<Result>,
): Promise<Result> {
  const texts = () => ({ hosts: context.network.hostsFile(id), resolvConf: context.network.resolvConf(id) });
  const before = texts();
  const result = await change();
  const after = texts();
  const files = networkFiles(context.containers.directoryOf(id));
  rewrite(files.hosts, (text) => changeLines(text, before.hosts, after.hosts));
  rewrite(files.resolvConf, (text) => (text === before.resolvConf ? after.resolvConf : text));
  return result;
}

/** A container has started, maybe with another address than before: containers that `--link` to it find it there. */
export function followLinks(context: EngineContext, started: ContainerRecord): void {
  for (const { id, name, hostConfig, state } of context.containers.all()) {
    const links = hostConfig.links ?? [];
    const leadsHere = (link: string) => context.containers.find(link.split(":", 1)[0] ?? "")?.id === started.id;
    if (!isAlive(state) || !links.some(leadsHere)) continue;
    try {
      const now = context.network.hostsFile(id);
      rewrite(networkFiles(context.containers.directoryOf(id)).hosts, (text) => moveNames(text, now, started.name));
    } catch (error) {
      context.logger.warn("a link could not be followed", { container: name, error: errorMessage(error) });
    }
  }
}

/** A text whose lines with a name have the addresses that they have `now`. */
function moveNames(text: string, now: string, name: string): string {
  const isAbout = (line: string) => line.split(/\s+/).includes(name);
  const others = (all: string) => all.split("\n").filter((line) => !isAbout(line));
  return changeLines(text, text, [...others(text), ...now.split("\n").filter(isAbout)].join("\n"));
}

/** At once: nothing else changes the file between its reading and its writing. */
function rewrite(path: string, change: (text: string) => string): void {
  const text = readFileSync(path, "utf8");
  const changed = change(text);
  if (changed !== text) writeFileSync(path, changed);
}

/** A text without the lines that are gone, and with those that are new behind it. */
function changeLines(text: string, before: string, after: string): string {
  const [old, now] = [before.split("\n"), after.split("\n")];
  const gone = new Set(old.filter((line) => !now.includes(line)));
  const kept = gone.size === 0 ? text : withoutLines(text, gone);
  const added = now.filter((line) => !old.includes(line));
  if (added.length === 0) return kept;
  return `${kept === "" || kept.endsWith("\n") ? kept : `${kept}\n`}${added.join("\n")}\n`;
}

function withoutLines(text: string, gone: ReadonlySet<string>): string {
  return text
    .split("\n")
    .filter((line) => !gone.has(line))
    .join("\n");
}
