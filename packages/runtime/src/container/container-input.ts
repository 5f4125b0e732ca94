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
  /** Where the pipes of those are: looking for one costs a call for each client of conmon. */
  readonly #places = new Map<string, Place>();

  /** Destroy it when the client leaves. Undefined where there is no such pipe any more: conmon takes the input then. */
  open(layout: Layout, id: string): Writable | undefined {
    const conmon = conmonOf({ layout }, id);
    const place = conmon === undefined ? undefined : this.#placeOf(id, conmon);
    if (place === undefined) return undefined;
    const input = openPipe(place.path);
    if (input === undefined) return undefined;
    this.#places.set(id, place);
    const all = this.#open.get(id) ?? new Set();
    this.#open.set(id, all.add(input));
    // The process has closed its side, which is its right.
    input.on("error", () => {});
    input.once("close", () => {
      all.delete(input);
      if (all.size > 0 || this.#open.get(id) !== all) return;
      this.#open.delete(id);
      this.#places.delete(id);
    });
    return input;
  }

  #placeOf(id: string, conmon: number): Place | undefined {
    const known = this.#places.get(id);
    return known?.conmon === conmon && linkOf(known.path) === known.pipe ? known : inputPipe(conmon);
  }

  /** Closes a container's input for all clients. */
  close(id: string): void {
    for (const input of this.#open.get(id) ?? []) input.destroy();
  }
}

/** A pipe, by the descriptor of conmon that writes to it. */
interface Place {
  readonly conmon: number;
  readonly path: string;
  /** As its link says, `pipe:[…]`. */
  readonly pipe: string;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // closed, or conmon has ended
  }
}

/** The only pipe that conmon made and writes to. */
function inputPipe(conmon: number): Place | undefined {
  const directory = `/proc/${conmon}/fd`;
  try {
    const found = readdirSync(directory)
      .filter((name) => Number(name) >= INHERITED)
      .map((name) => `${directory}/${name}`)
      .filter((path) => (lstatSync(path).mode & PERMISSIONS) === WRITE_ONLY && readlinkSync(path).startsWith("pipe:"));
    const [path] = found;
    return path === undefined || found.length > 1 ? undefined : { conmon, path, pipe: readlinkSync(path) };
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
