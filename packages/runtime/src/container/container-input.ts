import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import type { Writable } from "node:stream";
import { systemCode } from "@boxship/base";
import { CurrentDirectory, OpenFlag, openat, writableTo } from "@boxship/kernel";
import { conmonOf } from "./conmon-process.ts";
import type { Layout } from "./layout.ts";

/** conmon's own standard streams, and the pipe that it reports on. */
const INHERITED = 4;
const PERMISSIONS = 0o700;
const WRITE_ONLY = 0o300;

/**
 * The pipes that are containers' standard inputs, opened a second time: what a client says takes no way through conmon,
 * which is a wake-up less and loses nothing when the process is slow to read. The end of input stays conmon's as well: a
 * process sees it when everybody has closed the pipe.
 */
export class ContainerInputs {
  readonly #open = new Map<string, Set<Writable>>();

  /** Destroy it when the client leaves. Undefined where there is no such pipe any more: conmon takes the input then. */
  open(layout: Layout, id: string): Writable | undefined {
    const conmon = conmonOf({ layout }, id);
    const path = conmon === undefined ? undefined : inputPipe(conmon);
    if (path === undefined) return undefined;
    const input = openPipe(path);
    if (input === undefined) return undefined;
    const all = this.#open.get(id) ?? new Set();
    this.#open.set(id, all.add(input));
    // The process has closed its side, which is its right.
    input.on("error", () => {});
    input.once("close", () => {
      all.delete(input);
      if (all.size === 0 && this.#open.get(id) === all) this.#open.delete(id);
    });
    return input;
  }

  /** Closes a container's input for all clients. */
  close(id: string): void {
    for (const input of this.#open.get(id) ?? []) input.destroy();
  }
}

/** The only pipe that conmon made and writes to. */
function inputPipe(conmon: number): string | undefined {
  const directory = `/proc/${conmon}/fd`;
  try {
    const found = readdirSync(directory)
      .filter((name) => Number(name) >= INHERITED)
      .map((name) => `${directory}/${name}`)
      .filter((path) => (lstatSync(path).mode & PERMISSIONS) === WRITE_ONLY && readlinkSync(path).startsWith("pipe:"));
    return found.length === 1 ? found[0] : undefined;
  } catch (error) {
    // It closes files or ends just now.
    if (["ENOENT", "ESRCH", "EACCES"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

function openPipe(path: string): Writable | undefined {
  try {
    return writableTo(openat(CurrentDirectory, path, OpenFlag.WriteOnly | OpenFlag.NonBlock));
  } catch (error) {
    // ENXIO: nobody reads it any more.
    if (["ENXIO", "ENOENT", "ESRCH", "EACCES"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}
