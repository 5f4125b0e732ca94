import { readFile, writeFile } from "node:fs/promises";
import { networkFiles } from "../container/start-network.ts";
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
  await rewrite(files.hosts, (text) => changeLines(text, before.hosts, after.hosts));
  await rewrite(files.resolvConf, (text) => (text === before.resolvConf ? after.resolvConf : text));
  return result;
}

async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(path, "utf8");
  const changed = change(text);
  if (changed !== text) await writeFile(path, changed);
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
